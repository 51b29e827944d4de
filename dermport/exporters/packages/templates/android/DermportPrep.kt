/*
 * dermport-prep/1, steps 3 to 6: decoded pixels in, the model's input out, byte for byte what dermport/bundle/prep.py makes.
 * Plain Kotlin, nothing of Android; GUIDE.md shows how to decode a photo on Android.
 */

import kotlin.math.abs
import kotlin.math.max
import kotlin.math.min

object DermportPrep {
    private const val BITS = 22 // Pillow's 8-bit resize: weights in fixed point with 22 fractional bits

    enum class Crop { FULL_FRAME, CENTRE_SQUARE }

    /** 8-bit pixels, rows first, `channels` bytes each, of which the first three are red, green and blue. */
    class Pixels(val data: ByteArray, val width: Int, val height: Int, val channels: Int)

    private class Taps(val first: Int, val weights: IntArray)

    /**
     * Turns stored pixels into size * size * 3 bytes, rows first, RGB; their sha256 is the input_sha256.
     * `orientation` is EXIF tag 274, 1 to 8.
     */
    fun prepare(image: Pixels, size: Int, crop: Crop = Crop.FULL_FRAME, orientation: Int = 1): ByteArray {
        val box = upright(image, orientation, crop)
        val rows = pass(box.data, box.height, box.width, size, box.width * 3, 3, size * 3)
        return pass(rows, size, box.height, size, 3, size * 3, 3)
    }

    /** Turns as EXIF says and cuts out the crop's box; RGB. */
    private fun upright(image: Pixels, orientation: Int, crop: Crop): Pixels {
        val swapped = orientation >= 5
        val mirrorX = orientation in setOf(2, 3, 7, 8)
        val mirrorY = orientation in setOf(3, 4, 6, 7)
        val fullWidth = if (swapped) image.height else image.width
        val fullHeight = if (swapped) image.width else image.height
        val square = crop == Crop.CENTRE_SQUARE
        val width = if (square) min(fullWidth, fullHeight) else fullWidth
        val height = if (square) min(fullWidth, fullHeight) else fullHeight
        val left = (fullWidth - width) / 2
        val top = (fullHeight - height) / 2
        val data = ByteArray(width * height * 3)
        var to = 0
        for (y in top until top + height) {
            for (x in left until left + width) {
                val u = if (swapped) y else x
                val v = if (swapped) x else y
                val column = if (mirrorX) image.width - 1 - u else u
                val row = if (mirrorY) image.height - 1 - v else v
                val from = (row * image.width + column) * image.channels
                data[to++] = image.data[from]
                data[to++] = image.data[from + 1]
                data[to++] = image.data[from + 2]
            }
        }
        return Pixels(data, width, height, 3)
    }

    /** Resizes each of `lines` lines from `length` to `size` pixels, rounded to 8 bits; `step` bytes between pixels. */
    private fun pass(
        source: ByteArray, lines: Int, length: Int, size: Int, sourceLine: Int, step: Int, targetLine: Int,
    ): ByteArray {
        val target = ByteArray(lines * size * 3)
        for ((pixel, taps) in triangle(length, size).withIndex()) {
            for (line in 0 until lines) {
                for (channel in 0 until 3) {
                    var from = line * sourceLine + taps.first * step + channel
                    var sum = 1 shl (BITS - 1)
                    for (weight in taps.weights) {
                        sum += weight * (source[from].toInt() and 0xff)
                        from += step
                    }
                    target[line * targetLine + pixel * step + channel] = (sum shr BITS).toByte()
                }
            }
        }
        return target
    }

    /** For each of `size` pixels, the first of the `length` source pixels that it reads, and their weights. */
    private fun triangle(length: Int, size: Int): List<Taps> {
        val scale = length.toDouble() / size
        val support = max(1.0, scale) // widens when shrinking, so that no source pixel is skipped
        return List(size) { pixel ->
            val center = (pixel + 0.5) * scale
            val first = max(0, (center - support + 0.5).toInt())
            val end = min(length, (center + support + 0.5).toInt())
            val taps = DoubleArray(end - first) { tap ->
                max(0.0, 1.0 - abs((first + tap - center + 0.5) * (1.0 / support)))
            }
            val total = taps.sum()
            Taps(first, IntArray(taps.size) { tap -> (0.5 + taps[tap] / total * (1 shl BITS)).toInt() })
        }
    }
}
