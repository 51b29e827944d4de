/*
 * Whether a JPEG is whole: dermport-prep/1 refuses damaged ones, and Android's decoder fills in what is missing.
 * Plain Kotlin, nothing of Android.
 *
 * Walks the segments and the entropy-coded data (ITU-T T.81, annexes B, F and G) without making pixels of them: each scan
 * must hold exactly the blocks that its frame asks for, and all scans together every bit of every coefficient.
 */

object DermportJpeg {
    /** The code by which dermport-prep/1 refuses a file that begins as a JPEG does, or null. */
    fun flawOf(bytes: ByteArray): String? = try {
        JpegWalk(bytes).run()
        null
    } catch (flaw: JpegFlaw) {
        flaw.code
    } catch (beyond: IndexOutOfBoundsException) { // a length that leads beyond the end
        "photo-damaged"
    }
}

private class JpegFlaw(val code: String) : Exception()

private fun check(isSound: Boolean, code: String = "photo-damaged") {
    if (!isSound) throw JpegFlaw(code)
}

private const val MAX_SCANS = 64
private const val MAX_SCANNED_PIXELS = 768_000_000L
private const val MAX_SEGMENTS = 4096
private const val UNSENT = 14 // bits: more than a coefficient has
private val ALL_ALIKE = setOf(0x11, 0x12, 0x21, 0x13, 0x31) // sampling factors, where all components have the same
private val LUMA = setOf(0x11, 0x12, 0x21, 0x22, 0x41) // of the first component, where the others have 1 x 1
private val FRAMES = 0xc0..0xc2

private class JpegComponent(val id: Int, val factors: Int, isAlone: Boolean) {
    val across = if (isAlone) 1 else factors shr 4
    val down = if (isAlone) 1 else factors and 15
    val bits = IntArray(64) { UNSENT }
    var width = 0 // in blocks, without those that fill up the last MCU
    var height = 0
    var stride = 0
    var known = LongArray(0) // of each block, a bit for each coefficient that is not 0
}

private class JpegFrame(val width: Int, val height: Int, val isProgressive: Boolean, val components: List<JpegComponent>) {
    val columns: Int
    val rows: Int

    init {
        val across = components.maxOf { it.across }
        val down = components.maxOf { it.down }
        columns = ceil(width, 8 * across)
        rows = ceil(height, 8 * down)
        for (one in components) {
            one.width = ceil(width * one.across, 8 * across)
            one.height = ceil(height * one.down, 8 * down)
            one.stride = columns * one.across
            if (isProgressive) one.known = LongArray(one.stride * rows * one.down)
        }
    }
}

private fun ceil(length: Int, of: Int) = (length + of - 1) / of

private class JpegPart(val component: JpegComponent, val dc: ShortArray?, val ac: ShortArray?)

private class JpegWalk(private val bytes: ByteArray) {
    private var frame: JpegFrame? = null
    private val tables = HashMap<Int, ShortArray>() // Huffman tables by class and number
    private var interval = 0
    private var scans = 0

    fun run() {
        var at = 2
        var segments = 0
        while (true) {
            check(segments++ < MAX_SEGMENTS, "unsupported-form")
            check(byte(at) == 0xff)
            while (byte(at) == 0xff) at++ // any number of fill bytes
            val marker = byte(at)
            if (marker == 0xd9) break
            val start = at + 3
            val end = at + 1 + short(at + 1)
            check(marker >= 0xc0 && marker !in 0xd0..0xd8 && end >= start && end < bytes.size)
            when (marker) {
                in FRAMES -> begin(marker, start)
                0xc4 -> huffman(start, end)
                0xda -> {}
                0xdd -> interval = short(start)
                else -> check(marker > 0xcf && marker != 0xde && marker != 0xdf, "unsupported-form") // T.81, table B.1
            }
            at = if (marker == 0xda) scan(start, end) else end
        }
        check(scans > 0 && frame!!.components.all { one -> one.bits.all { it == 0 } })
    }

    private fun byte(at: Int) = bytes[at].toInt() and 0xff

    private fun short(at: Int) = byte(at) shl 8 or byte(at + 1)

    private fun begin(marker: Int, start: Int) {
        check(frame == null)
        val count = byte(start + 5)
        check(byte(start) == 8 && (count == 1 || count == 3 || count == 4), "unsupported-form")
        val (height, width) = listOf(short(start + 1), short(start + 3))
        check(width > 0 && height > 0)
        val components = List(count) { index ->
            JpegComponent(byte(start + 6 + 3 * index), byte(start + 7 + 3 * index), count == 1)
        }
        check(isSampledAsUsual(components.map { it.factors }), "unsupported-form")
        frame = JpegFrame(width, height, marker == 0xc2, components)
    }

    /** Makes a table of each code: at every 16 bits that begin with it, its length and symbol. */
    private fun huffman(start: Int, end: Int) {
        var at = start
        while (at < end) {
            val lookup = ShortArray(65_536)
            var symbol = at + 17
            var code = 0
            for (length in 1..16) {
                val step = 65_536 shr length
                repeat(byte(at + length)) {
                    check(symbol < end && code + step <= 65_536)
                    lookup.fill((length shl 8 or byte(symbol++)).toShort(), code, code + step)
                    code += step
                }
            }
            tables[byte(at)] = lookup
            at = symbol
        }
    }

    /** Walks through a scan; its end is where the next marker begins. */
    private fun scan(start: Int, end: Int): Int {
        val frame = frame ?: throw JpegFlaw("photo-damaged")
        scans++
        check(scans <= MAX_SCANS && scans.toLong() * frame.width * frame.height <= MAX_SCANNED_PIXELS, "too-many-scans")
        val count = byte(start)
        check(count > 0 && end - start == 4 + 2 * count)
        val parts = List(count) { index ->
            val component = frame.components.find { it.id == byte(start + 1 + 2 * index) }
            val numbers = byte(start + 2 + 2 * index)
            JpegPart(component ?: throw JpegFlaw("photo-damaged"), tables[numbers shr 4], tables[16 or (numbers and 15)])
        }
        check(parts.distinctBy { it.component }.size == count)
        val (first, last, approximation) = List(3) { byte(end - 3 + it) }
        val isFit = when {
            !frame.isProgressive -> first == 0 && last == 63 && approximation == 0
            first == 0 -> last == 0
            else -> count == 1 && last in first..63
        }
        check(isFit)
        for (part in parts) send(part.component.bits, first..last, approximation, frame.isProgressive)
        return blocks(frame, parts, blockOf(frame, first, last, approximation shr 4), end)
    }

    /** Notes which bits of which coefficients a scan sends. */
    private fun send(bits: IntArray, coefficients: IntRange, approximation: Int, isProgressive: Boolean) {
        val before = approximation shr 4
        val after = approximation and 15
        check(coefficients.first == 0 || bits[0] != UNSENT)
        check(!isProgressive || coefficients.all { bits[it] == if (before > 0) before else UNSENT })
        check(before == 0 || after == before - 1)
        for (k in coefficients) bits[k] = after
    }

    /** Walks through the blocks of a scan, restart by restart. */
    private fun blocks(frame: JpegFrame, parts: List<JpegPart>, block: JpegBlock, start: Int): Int {
        val alone = parts.singleOrNull()?.component
        val columns = alone?.width ?: frame.columns
        val units = columns * (alone?.height ?: frame.rows)
        val step = if (interval > 0) interval else units
        var at = start
        for ((restart, unit) in (0 until units step step).withIndex()) {
            if (restart > 0) {
                check(byte(at) == 0xff && byte(at + 1) == (0xd0 or (restart - 1 and 7)))
                at += 2
            }
            val bits = JpegBits(bytes, at)
            for (one in unit until minOf(units, unit + step)) {
                for (part in parts) unit(bits, part, one % columns, one / columns, alone != null, block)
                check(bits.left >= 0)
            }
            check(bits.left < 8)
            at = bits.end
        }
        return at
    }

    private fun unit(bits: JpegBits, part: JpegPart, column: Int, row: Int, isAlone: Boolean, block: JpegBlock) {
        val across = if (isAlone) 1 else part.component.across
        val down = if (isAlone) 1 else part.component.down
        for (y in 0 until down) {
            for (x in 0 until across) block(bits, part, (row * down + y) * part.component.stride + column * across + x)
        }
    }
}

/** The bits from a place up to the next marker. */
private class JpegBits(bytes: ByteArray, start: Int) {
    var run = 0 // how many more blocks have ended already (EOBRUN)
    val end: Int
    private val data: ByteArray
    private val size: Long
    private var at = 0L

    init {
        var last = start
        while (true) { // a stuffed byte and a fill byte are no markers
            if (bytes[last] == FF && bytes[last + 1] != FF) {
                if (bytes[last + 1] != ZERO) break
                last++
            }
            last++
        }
        end = last
        data = ByteArray(end - start + 4)
        var length = 0
        var from = start
        while (from < end) {
            if (bytes[from] == FF && bytes[from + 1] == FF) {
                from++
                continue
            }
            data[length++] = bytes[from]
            from += if (bytes[from] == FF) 2 else 1
        }
        size = 8L * length
    }

    val left get() = size - at

    fun skip(count: Int) {
        at += count
    }

    fun read(count: Int): Int {
        val bits = peek() shr 16 - count
        at += count
        return bits
    }

    fun symbol(table: ShortArray?): Int {
        val found = (table ?: throw JpegFlaw("photo-damaged"))[peek()].toInt()
        check(found != 0)
        at += found shr 8
        return found and 0xff
    }

    private fun peek(): Int {
        val byte = (at shr 3).toInt()
        val three = (data[byte].toInt() and 0xff shl 16) or (data[byte + 1].toInt() and 0xff shl 8) or
            (data[byte + 2].toInt() and 0xff)
        return three shr 8 - (at and 7).toInt() and 0xffff
    }

    private companion object {
        const val FF: Byte = -1
        const val ZERO: Byte = 0
    }
}

private typealias JpegBlock = (bits: JpegBits, part: JpegPart, block: Int) -> Unit

/** How a scan codes a block: T.81, annex F, and G where it is progressive. */
private fun blockOf(frame: JpegFrame, first: Int, last: Int, before: Int): JpegBlock = when {
    !frame.isProgressive -> ::sequential
    first == 0 && before == 0 -> { bits, part, _ -> bits.skip(bits.symbol(part.dc)) }
    first == 0 -> { bits, _, _ -> bits.skip(1) }
    before == 0 -> { bits, part, block -> beginBlock(bits, part, block, first, last) }
    else -> { bits, part, block -> refineBlock(bits, part, block, first, last) }
}

@Suppress("UNUSED_PARAMETER")
private fun sequential(bits: JpegBits, part: JpegPart, block: Int) {
    bits.skip(bits.symbol(part.dc))
    var k = 1
    while (k < 64) {
        val symbol = bits.symbol(part.ac)
        val size = symbol and 15
        if (size == 0 && symbol shr 4 < 15) return
        k += symbol shr 4
        check(k < 64 || size == 0)
        bits.skip(size)
        k++
    }
}

private fun beginBlock(bits: JpegBits, part: JpegPart, block: Int, first: Int, last: Int) {
    if (bits.run > 0) {
        bits.run--
        return
    }
    val known = part.component.known
    var k = first
    while (k <= last) {
        val symbol = bits.symbol(part.ac)
        val zeros = symbol shr 4
        val size = symbol and 15
        if (size == 0 && zeros < 15) {
            bits.run = (1 shl zeros) + bits.read(zeros) - 1
            return
        }
        k += zeros
        check(k <= last || size == 0)
        if (size > 0) known[block] = known[block] or (1L shl k)
        bits.skip(size)
        k++
    }
}

private fun refineBlock(bits: JpegBits, part: JpegPart, block: Int, first: Int, last: Int) {
    val known = part.component.known
    var k = first
    while (bits.run == 0 && k <= last) {
        val symbol = bits.symbol(part.ac)
        var zeros = symbol shr 4
        val size = symbol and 15
        check(size < 2)
        if (size == 0 && zeros < 15) {
            bits.run = (1 shl zeros) + bits.read(zeros)
            break
        }
        bits.skip(size) // the sign
        while (k <= last) {
            if (known[block] shr k and 1L == 1L) bits.skip(1) // one more bit of a coefficient that is known
            else if (--zeros < 0) break
            k++
        }
        check(k <= last || size == 0)
        if (size > 0) known[block] = known[block] or (1L shl k)
        k++
    }
    if (bits.run == 0) return
    while (k <= last) bits.skip((known[block] shr k++ and 1L).toInt())
    bits.run--
}

private fun isSampledAsUsual(factors: List<Int>): Boolean {
    val luma = factors[0]
    if (factors.distinct().size == 1) return factors.size == 1 || luma in ALL_ALIKE
    if (factors.size == 4 && factors[3] != luma) return false // a CMYK's black is as fine as its first component
    val chroma = factors[1]
    if (chroma != factors[2]) return false
    return if (chroma == 0x11) luma in LUMA else luma == 0x22 && (chroma == 0x12 || chroma == 0x21)
}
