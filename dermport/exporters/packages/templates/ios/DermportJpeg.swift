// Whether a JPEG is whole: dermport-prep/1 refuses damaged ones, and ImageIO fills in what is missing.
// Compiled by nobody yet (the project has no Mac): run it on the photos in vectors/ and vectors/refused/ first.
//
// Walks the segments and the entropy-coded data (ITU-T T.81, annexes B, F and G) without making pixels of them: each scan
// must hold exactly the blocks that its frame asks for, and all scans together every bit of every coefficient.

enum DermportJpeg {
    /// The code by which dermport-prep/1 refuses a file that begins as a JPEG does, or nil.
    static func flaw(of bytes: [UInt8]) -> String? {
        do {
            try JpegWalk(bytes).run()
            return nil
        } catch let flaw as JpegFlaw {
            return flaw.code
        } catch {
            return JpegFlaw.damaged.code
        }
    }
}

private struct JpegFlaw: Error {
    static let damaged = JpegFlaw(code: "photo-damaged")
    static let unsupported = JpegFlaw(code: "unsupported-form")
    let code: String
}

private func check(_ isSound: Bool, or flaw: JpegFlaw = .damaged) throws {
    if !isSound { throw flaw }
}

private let maxScans = 64
private let maxScannedPixels = 768_000_000
private let maxSegments = 4096
private let unsent = 14 // bits: more than a coefficient has
private let allAlike: Set<Int> = [0x11, 0x12, 0x21, 0x13, 0x31] // sampling factors, where all components have the same
private let lumaFactors: Set<Int> = [0x11, 0x12, 0x21, 0x22, 0x41] // of the first component, where the others have 1 x 1

private final class JpegComponent {
    let id: Int
    let factors: Int
    let across: Int
    let down: Int
    var bits = [Int](repeating: unsent, count: 64)
    var width = 0 // in blocks, without those that fill up the last MCU
    var height = 0
    var stride = 0
    var known = [UInt64]() // of each block, a bit for each coefficient that is not 0

    init(id: Int, factors: Int, isAlone: Bool) {
        self.id = id
        self.factors = factors
        across = isAlone ? 1 : factors >> 4
        down = isAlone ? 1 : factors & 15
    }
}

private struct JpegFrame {
    let width: Int
    let height: Int
    let isProgressive: Bool
    let components: [JpegComponent]
    let columns: Int
    let rows: Int

    init(width: Int, height: Int, isProgressive: Bool, components: [JpegComponent]) {
        self.width = width
        self.height = height
        self.isProgressive = isProgressive
        self.components = components
        let across = components.map { $0.across }.max() ?? 1
        let down = components.map { $0.down }.max() ?? 1
        columns = ceiling(width, 8 * across)
        rows = ceiling(height, 8 * down)
        for one in components {
            one.width = ceiling(width * one.across, 8 * across)
            one.height = ceiling(height * one.down, 8 * down)
            one.stride = columns * one.across
            if isProgressive { one.known = [UInt64](repeating: 0, count: one.stride * rows * one.down) }
        }
    }
}

private func ceiling(_ length: Int, _ step: Int) -> Int { (length + step - 1) / step }

private struct JpegPart {
    let component: JpegComponent
    let dc: [UInt16]?
    let ac: [UInt16]?
}

private final class JpegWalk {
    private let bytes: [UInt8]
    private var frame: JpegFrame?
    private var tables = [Int: [UInt16]]() // Huffman tables by class and number
    private var interval = 0
    private var scans = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func run() throws {
        var at = 2
        var segments = 0
        while true {
            try check(segments < maxSegments, or: .unsupported)
            segments += 1
            try check(byte(at) == 0xff)
            while try byte(at) == 0xff { at += 1 } // any number of fill bytes
            let marker = try byte(at)
            if marker == 0xd9 { break }
            let start = at + 3
            let end = at + 1 + (try short(at + 1))
            try check(marker >= 0xc0 && !(0xd0...0xd8).contains(marker) && end >= start && end < bytes.count)
            try read(marker, start, end)
            at = try marker == 0xda ? scan(start, end) : end
        }
        guard let frame = frame else { throw JpegFlaw.damaged }
        try check(scans > 0 && frame.components.allSatisfy { $0.bits.allSatisfy { $0 == 0 } })
    }

    private func byte(_ at: Int) throws -> Int {
        try check(at < bytes.count)
        return Int(bytes[at])
    }

    private func short(_ at: Int) throws -> Int { (try byte(at)) << 8 | (try byte(at + 1)) }

    private func read(_ marker: Int, _ start: Int, _ end: Int) throws {
        switch marker {
        case 0xc0...0xc2: try begin(marker, start)
        case 0xc4: try huffman(start, end)
        case 0xda: break
        case 0xdd: interval = try short(start)
        default: try check(marker > 0xcf && marker != 0xde && marker != 0xdf, or: .unsupported) // T.81, table B.1
        }
    }

    private func begin(_ marker: Int, _ start: Int) throws {
        try check(frame == nil)
        let count = try byte(start + 5)
        try check(try byte(start) == 8 && [1, 3, 4].contains(count), or: .unsupported)
        let height = try short(start + 1)
        let width = try short(start + 3)
        try check(width > 0 && height > 0)
        let components = try (0..<count).map { index in
            JpegComponent(
                id: try byte(start + 6 + 3 * index), factors: try byte(start + 7 + 3 * index), isAlone: count == 1)
        }
        try check(isSampledAsUsual(components.map { $0.factors }), or: .unsupported)
        frame = JpegFrame(width: width, height: height, isProgressive: marker == 0xc2, components: components)
    }

    /// Makes a table of each code: at every 16 bits that begin with it, its length and symbol.
    private func huffman(_ start: Int, _ end: Int) throws {
        var at = start
        while at < end {
            var lookup = [UInt16](repeating: 0, count: 65_536)
            var symbol = at + 17
            var code = 0
            for length in 1...16 {
                let step = 65_536 >> length
                for _ in 0..<(try byte(at + length)) {
                    try check(symbol < end && code + step <= 65_536)
                    let entry = UInt16(length << 8 | (try byte(symbol)))
                    for index in code..<(code + step) { lookup[index] = entry }
                    symbol += 1
                    code += step
                }
            }
            tables[try byte(at)] = lookup
            at = symbol
        }
    }

    /// Walks through a scan; its end is where the next marker begins.
    private func scan(_ start: Int, _ end: Int) throws -> Int {
        guard let frame = frame else { throw JpegFlaw.damaged }
        scans += 1
        let isBounded = scans <= maxScans && scans * frame.width * frame.height <= maxScannedPixels
        try check(isBounded, or: JpegFlaw(code: "too-many-scans"))
        let count = try byte(start)
        try check(count > 0 && end - start == 4 + 2 * count)
        let parts: [JpegPart] = try (0..<count).map { index in
            let id = try byte(start + 1 + 2 * index)
            let numbers = try byte(start + 2 + 2 * index)
            guard let component = frame.components.first(where: { $0.id == id }) else { throw JpegFlaw.damaged }
            return JpegPart(component: component, dc: tables[numbers >> 4], ac: tables[16 | (numbers & 15)])
        }
        try check(Set(parts.map { $0.component.id }).count == count)
        let first = try byte(end - 3)
        let last = try byte(end - 2)
        let approximation = try byte(end - 1)
        if !frame.isProgressive {
            try check(first == 0 && last == 63 && approximation == 0)
        } else {
            try check(first == 0 ? last == 0 : count == 1 && first <= last && last < 64)
        }
        for part in parts { try send(part.component, first, last, approximation, frame.isProgressive) }
        let way = JpegWay(isProgressive: frame.isProgressive, first: first, last: last, isRefining: approximation >> 4 > 0)
        return try blocks(frame, parts, way, end)
    }

    /// Notes which bits of which coefficients a scan sends.
    private func send(_ one: JpegComponent, _ first: Int, _ last: Int, _ approximation: Int, _ isProgressive: Bool) throws {
        let before = approximation >> 4
        let after = approximation & 15
        try check(first == 0 || one.bits[0] != unsent)
        try check(before == 0 || after == before - 1)
        for k in first...last {
            try check(!isProgressive || one.bits[k] == (before > 0 ? before : unsent))
            one.bits[k] = after
        }
    }

    /// Walks through the blocks of a scan, restart by restart.
    private func blocks(_ frame: JpegFrame, _ parts: [JpegPart], _ way: JpegWay, _ start: Int) throws -> Int {
        let alone = parts.count == 1 ? parts[0].component : nil
        let columns = alone?.width ?? frame.columns
        let units = columns * (alone?.height ?? frame.rows)
        let step = interval > 0 ? interval : units
        var at = start
        for (restart, unit) in stride(from: 0, to: units, by: step).enumerated() {
            if restart > 0 {
                try check(try byte(at) == 0xff && byte(at + 1) == 0xd0 | ((restart - 1) & 7))
                at += 2
            }
            var bits = try JpegBits(bytes, from: at)
            for one in unit..<min(units, unit + step) {
                for part in parts {
                    let across = alone == nil ? part.component.across : 1
                    let down = alone == nil ? part.component.down : 1
                    for y in 0..<down {
                        for x in 0..<across {
                            let row = one / columns * down + y
                            try way.walk(&bits, part, row * part.component.stride + one % columns * across + x)
                        }
                    }
                }
                try check(bits.left >= 0)
            }
            try check(bits.left < 8)
            at = bits.end
        }
        return at
    }
}

/// The bits from a place up to the next marker.
private struct JpegBits {
    var run = 0 // how many more blocks have ended already (EOBRUN)
    let end: Int
    private var data = [UInt8]()
    private let size: Int
    private var at = 0

    init(_ bytes: [UInt8], from start: Int) throws {
        var last = start
        while true { // a stuffed byte and a fill byte are no markers
            try check(last + 1 < bytes.count)
            if bytes[last] == 0xff && bytes[last + 1] != 0xff {
                if bytes[last + 1] != 0 { break }
                data.append(0xff)
                last += 2
            } else {
                if bytes[last] != 0xff { data.append(bytes[last]) }
                last += 1
            }
        }
        end = last
        size = 8 * data.count
        data += [0, 0, 0, 0]
    }

    var left: Int { size - at }

    mutating func skip(_ count: Int) { at += count }

    mutating func read(_ count: Int) throws -> Int {
        let bits = try peek() >> (16 - count)
        at += count
        return bits
    }

    mutating func symbol(_ table: [UInt16]?) throws -> Int {
        guard let table = table else { throw JpegFlaw.damaged }
        let found = Int(table[try peek()])
        try check(found != 0)
        at += found >> 8
        return found & 0xff
    }

    private func peek() throws -> Int {
        let byte = at >> 3
        try check(byte + 2 < data.count)
        let three = Int(data[byte]) << 16 | Int(data[byte + 1]) << 8 | Int(data[byte + 2])
        return three >> (8 - (at & 7)) & 0xffff
    }
}

/// How a scan codes a block: T.81, annex F, and G where it is progressive.
private struct JpegWay {
    let isProgressive: Bool
    let first: Int
    let last: Int
    let isRefining: Bool

    func walk(_ bits: inout JpegBits, _ part: JpegPart, _ block: Int) throws {
        if !isProgressive {
            try sequential(&bits, part)
        } else if first > 0 {
            try isRefining ? refine(&bits, part, block) : begin(&bits, part, block)
        } else {
            let size = try isRefining ? 1 : bits.symbol(part.dc)
            bits.skip(size)
        }
    }

    private func sequential(_ bits: inout JpegBits, _ part: JpegPart) throws {
        let size = try bits.symbol(part.dc)
        bits.skip(size)
        var k = 1
        while k < 64 {
            let symbol = try bits.symbol(part.ac)
            let size = symbol & 15
            if size == 0 && symbol >> 4 < 15 { return }
            k += symbol >> 4
            try check(k < 64 || size == 0)
            bits.skip(size)
            k += 1
        }
    }

    private func begin(_ bits: inout JpegBits, _ part: JpegPart, _ block: Int) throws {
        if bits.run > 0 {
            bits.run -= 1
            return
        }
        var k = first
        while k <= last {
            let symbol = try bits.symbol(part.ac)
            let zeros = symbol >> 4
            let size = symbol & 15
            if size == 0 && zeros < 15 {
                bits.run = (1 << zeros) + (try bits.read(zeros)) - 1
                return
            }
            k += zeros
            try check(k <= last || size == 0)
            if size > 0 { part.component.known[block] |= 1 << UInt64(k) }
            bits.skip(size)
            k += 1
        }
    }

    private func refine(_ bits: inout JpegBits, _ part: JpegPart, _ block: Int) throws {
        var known = part.component.known[block]
        var k = first
        while bits.run == 0 && k <= last {
            let symbol = try bits.symbol(part.ac)
            var zeros = symbol >> 4
            let size = symbol & 15
            try check(size < 2)
            if size == 0 && zeros < 15 {
                bits.run = (1 << zeros) + (try bits.read(zeros))
                break
            }
            bits.skip(size) // the sign
            while k <= last {
                if known >> UInt64(k) & 1 == 1 {
                    bits.skip(1) // one more bit of a coefficient that is known
                } else {
                    zeros -= 1
                    if zeros < 0 { break }
                }
                k += 1
            }
            try check(k <= last || size == 0)
            if size > 0 { known |= 1 << UInt64(k) }
            k += 1
        }
        part.component.known[block] = known
        if bits.run == 0 { return }
        while k <= last {
            bits.skip(Int(known >> UInt64(k) & 1))
            k += 1
        }
        bits.run -= 1
    }
}

private func isSampledAsUsual(_ factors: [Int]) -> Bool {
    let luma = factors[0]
    if Set(factors).count == 1 { return factors.count == 1 || allAlike.contains(luma) }
    if factors.count == 4 && factors[3] != luma { return false } // a CMYK's black is as fine as its first component
    let chroma = factors[1]
    if chroma != factors[2] { return false }
    return chroma == 0x11 ? lumaFactors.contains(luma) : luma == 0x22 && (chroma == 0x12 || chroma == 0x21)
}
