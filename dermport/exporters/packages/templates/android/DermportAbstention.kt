/*
 * When the model cannot tell: dermport/bundle/abstention.py's rule on the model's input, the arithmetic of the server in Double.
 * Plain Kotlin and org.json, which is part of Android.
 */

import kotlin.math.abs
import kotlin.math.ln
import kotlin.math.max
import kotlin.math.min
import kotlin.math.sqrt
import org.json.JSONArray
import org.json.JSONObject

/**
 * `manifest`: bundle.json, whose `abstention` is the rule; without one all is answered. Throws where this file does not
 * know the rule: then nothing may be decided.
 */
class DermportAbstention(manifest: JSONObject) {
    /** Why the model cannot tell: `value` of the input lies beyond `bound`. */
    data class Reason(val code: String, val value: Double, val bound: Double)

    private val rule = if (manifest.isNull("abstention")) null else Rule(manifest.getJSONObject("abstention"))

    /** Of the prepared photo, size * size * 3 bytes as DermportPrep.prepare gives them; none: the model can tell. */
    fun reasons(tensor: ByteArray, size: Int): List<Reason> {
        if (rule == null) return emptyList()
        val values = values(tensor, size)
        val found = rule.quality.mapNotNull { bound ->
            val value = values[bound.code]?.takeIf { if (bound.below) it < bound.threshold else it > bound.threshold }
            value?.let { Reason("quality:${bound.code}", it, bound.threshold) }
        }
        val away = rule.distance(values)?.takeIf { it > rule.threshold }
        return found + listOfNotNull(away?.let { Reason("out_of_distribution", it, rule.threshold) })
    }

    private class Bound(document: JSONObject) {
        val code: String = document.getString("code")
        val below = when (val side = document.getString("side")) {
            "below" -> true
            "above" -> false
            else -> throw IllegalArgumentException("side $side")
        }
        val threshold = document.getDouble("threshold")
    }

    private class Rule(document: JSONObject) {
        private val reference = document.getJSONObject("reference")
        private val names = items(reference.getJSONArray("names"), JSONArray::getString)
        private val mean = items(reference.getJSONArray("mean"), JSONArray::getDouble)
        private val precision = items(reference.getJSONArray("precision"), JSONArray::getJSONArray)
            .map { items(it, JSONArray::getDouble) }
        val threshold = document.getDouble("threshold")
        val quality = items(document.getJSONArray("quality"), JSONArray::getJSONObject).map { Bound(it) }

        init {
            require(document.getString("score") == "input-distance") { "score ${document.getString("score")}" }
            for (name in names + quality.map { it.code }) require(name in FAULTS || name in COLOURS) { "value $name" }
        }

        /** The Mahalanobis distance of the values from the reference; null where one of them cannot be said. */
        fun distance(values: Map<String, Double>): Double? {
            val away = names.mapIndexed { at, name -> (values[name] ?: return null) - mean[at] }
            var square = 0.0
            for ((one, weights) in away.zip(precision)) {
                for ((weight, other) in weights.zip(away)) square += one * weight * other
            }
            return sqrt(max(0.0, square))
        }
    }

    companion object {
        private val FAULTS = setOf("too-dark", "too-bright", "blurred", "noisy", "over-compressed", "no-lesion")
        private val COLOURS = setOf("light", "red-green", "yellow-blue").flatMap { listOf(it, "$it-spread") }
        private const val BLOCKS = 16
        private const val MARGIN = 2 // blocks at each edge that are left out: dermatoscopes darken the corners
        private const val LEAST = 8 // pixels a side, below which nothing is said of sharpness and grain
        private const val FLOOR = 4.0 // levels²: the variance that noise and rounding leave in an even picture
        private const val NORMAL = 0.6745 // the median of |x|, x of the standard normal distribution

        /** What the rule holds against its bounds, by name; what cannot be said of so small an input is missing. */
        fun values(tensor: ByteArray, size: Int): Map<String, Double> {
            require(size > 0 && tensor.size == size * size * 3) { "${tensor.size} bytes are no input of $size pixels" }
            val grey = FloatArray(size * size) { pixel ->
                val at = pixel * 3
                (level(tensor, at) * 0.299 + level(tensor, at + 1) * 0.587 + level(tensor, at + 2) * 0.114).toFloat()
            }
            val sorted = grey.sortedArray()
            val found = mutableMapOf(
                "too-dark" to sorted[(0.95 * (sorted.size - 1)).toInt()].toDouble(),
                "too-bright" to sorted[(0.05 * (sorted.size - 1)).toInt()].toDouble(),
            )
            if (size >= LEAST) {
                val left = varianceOfLaplacian(convolved(convolved(grey, size, size, 1), size, 1, size), size)
                found["blurred"] = (left + FLOOR) / (varianceOfLaplacian(grey, size) + FLOOR)
                found["noisy"] = grain(grey, size)
                found["over-compressed"] = found.getValue("noisy")
            }
            if (size >= BLOCKS) found += ofBlocks(blockMeans(tensor, size))
            return found
        }

        private fun level(tensor: ByteArray, at: Int): Int = tensor[at].toInt() and 0xff

        /** Each of `size` lines with the binomial weights 1, 4, 6, 4, 1; edges are repeated. */
        private fun convolved(data: FloatArray, size: Int, line: Int, step: Int): FloatArray {
            val result = FloatArray(data.size)
            for (row in 0 until size) {
                fun value(at: Int): Double = data[row * line + min(size - 1, max(0, at)) * step].toDouble()
                for (at in 0 until size) {
                    val sum = value(at - 2) + 4 * value(at - 1) + 6 * value(at) + 4 * value(at + 1) + value(at + 2)
                    result[row * line + at * step] = (sum / 16).toFloat()
                }
            }
            return result
        }

        /** The standard deviation of what differs from pixel to pixel: the median size of Immerkær's mask. */
        private fun grain(grey: FloatArray, size: Int): Double {
            val side = size - 2
            fun across(at: Int): Double = grey[at - 1].toDouble() - 2 * grey[at].toDouble() + grey[at + 1]
            val sizes = DoubleArray(side * side) { inside ->
                val at = (inside / side + 1) * size + inside % side + 1
                abs(across(at - size) - 2 * across(at) + across(at + size))
            }
            return sizes.sortedArray()[(sizes.size - 1) / 2] / (6 * NORMAL)
        }

        private fun varianceOfLaplacian(data: FloatArray, size: Int): Double {
            val side = size - 2
            return variance(DoubleArray(side * side) { inside ->
                val at = (inside / side + 1) * size + inside % side + 1
                data[at - 1].toDouble() + data[at + 1] + data[at - size] + data[at + size] - 4.0 * data[at]
            })
        }

        private fun variance(values: DoubleArray): Double {
            val mean = values.average()
            return values.sumOf { (it - mean) * (it - mean) } / values.size
        }

        /** The means of 16 x 16 blocks, [red, green, blue] of each. */
        private fun blockMeans(tensor: ByteArray, size: Int): List<DoubleArray> {
            val sums = List(BLOCKS * BLOCKS) { LongArray(3) }
            val counts = IntArray(BLOCKS * BLOCKS)
            for (pixel in 0 until size * size) {
                val block = pixel / size * BLOCKS / size * BLOCKS + pixel % size * BLOCKS / size
                for (channel in 0 until 3) sums[block][channel] += level(tensor, pixel * 3 + channel).toLong()
                counts[block]++
            }
            return sums.mapIndexed { block, sum -> DoubleArray(3) { sum[it].toDouble() / counts[block] } }
        }

        private fun ofBlocks(means: List<DoubleArray>): Map<String, Double> {
            val kept = MARGIN until BLOCKS - MARGIN
            val light = means.map { (it[0] + it[1] + it[2]) / 3 }
            val inside = light.filterIndexed { block, _ -> block / BLOCKS in kept && block % BLOCKS in kept }
            return mapOf("no-lesion" to inside.max() - inside.min()) +
                colour("light", light) +
                colour("red-green", means.map { it[0] - it[1] }) +
                colour("yellow-blue", means.map { (it[0] + it[1]) / 2 - it[2] })
        }

        private fun colour(name: String, plane: List<Double>): Map<String, Double> =
            mapOf(name to plane.average(), "$name-spread" to ln(1 + sqrt(variance(plane.toDoubleArray()))))

        private fun <T> items(array: JSONArray, item: JSONArray.(Int) -> T): List<T> =
            List(array.length()) { array.item(it) }
    }
}
