// dermport-prep/1, steps 2 to 6: a photo in, the model's input out, the arithmetic of dermport/bundle/prep.py.
// `prepare` was run on Linux, `decode` never (the project has no Mac): hold their results against vectors/ and golden/.

import Foundation

enum DermportPrep {
    enum Crop { case fullFrame, centreSquare }

    /// 8-bit pixels, rows first, `channels` bytes each, of which the first three are red, green and blue.
    struct Pixels {
        let data: [UInt8]
        let width: Int
        let height: Int
        let channels: Int
    }

    /// Turns stored pixels into size * size * 3 bytes, rows first, RGB; their sha256 is the input_sha256.
    /// `orientation` is EXIF tag 274, 1 to 8.
    static func prepare(_ image: Pixels, size: Int, crop: Crop = .fullFrame, orientation: Int = 1) -> [UInt8] {
        let box = upright(image, orientation: orientation, crop: crop)
        let rows = pass(box.data, lines: box.height, length: box.width, size: size,
                        sourceLine: box.width * 3, step: 3, targetLine: size * 3)
        return pass(rows, lines: size, length: box.height, size: size,
                    sourceLine: 3, step: size * 3, targetLine: 3)
    }

    /// Turns as EXIF says and cuts out the crop's box; RGB.
    private static func upright(_ image: Pixels, orientation: Int, crop: Crop) -> Pixels {
        let swapped = orientation >= 5
        let mirrorX = [2, 3, 7, 8].contains(orientation)
        let mirrorY = [3, 4, 6, 7].contains(orientation)
        let fullWidth = swapped ? image.height : image.width
        let fullHeight = swapped ? image.width : image.height
        let width = crop == .centreSquare ? min(fullWidth, fullHeight) : fullWidth
        let height = crop == .centreSquare ? min(fullWidth, fullHeight) : fullHeight
        let left = (fullWidth - width) / 2
        let top = (fullHeight - height) / 2
        var data = [UInt8]()
        data.reserveCapacity(width * height * 3)
        for y in top..<(top + height) {
            for x in left..<(left + width) {
                let (u, v) = swapped ? (y, x) : (x, y)
                let column = mirrorX ? image.width - 1 - u : u
                let row = mirrorY ? image.height - 1 - v : v
                let from = (row * image.width + column) * image.channels
                data.append(image.data[from])
                data.append(image.data[from + 1])
                data.append(image.data[from + 2])
            }
        }
        return Pixels(data: data, width: width, height: height, channels: 3)
    }

    /// Resizes each of `lines` lines from `length` to `size` pixels, rounded to 8 bits; `step` bytes between pixels.
    private static func pass(_ source: [UInt8], lines: Int, length: Int, size: Int,
                             sourceLine: Int, step: Int, targetLine: Int) -> [UInt8] {
        var target = [UInt8](repeating: 0, count: lines * size * 3)
        for (pixel, taps) in triangle(length: length, size: size).enumerated() {
            for line in 0..<lines {
                for channel in 0..<3 {
                    var from = line * sourceLine + taps.first * step + channel
                    var sum: Int32 = 1 << (bits - 1)
                    for weight in taps.weights {
                        sum += weight * Int32(source[from])
                        from += step
                    }
                    target[line * targetLine + pixel * step + channel] = UInt8(sum >> bits)
                }
            }
        }
        return target
    }

    /// For each of `size` pixels, the first of the `length` source pixels that it reads, and their weights.
    private static func triangle(length: Int, size: Int) -> [(first: Int, weights: [Int32])] {
        let scale = Double(length) / Double(size)
        let support = max(1.0, scale) // widens when shrinking, so that no source pixel is skipped
        return (0..<size).map { pixel in
            let center = (Double(pixel) + 0.5) * scale
            let first = max(0, Int(center - support + 0.5))
            let end = min(length, Int(center + support + 0.5))
            let taps = (first..<end).map { max(0.0, 1.0 - abs((Double($0) - center + 0.5) * (1.0 / support))) }
            let total = taps.reduce(0.0, +)
            return (first, taps.map { Int32(0.5 + $0 / total * Double(1 << bits)) })
        }
    }

    private static let bits = 22 // Pillow's 8-bit resize: weights in fixed point with 22 fractional bits
}

#if canImport(ImageIO)
import CoreGraphics
import ImageIO

extension DermportPrep {
    enum DecodingError: Error {
        case notJPEGOrPNG, transparent, unsupportedColour
        case refused(code: String)
    }

    /// Decodes the stored values of a JPEG or PNG: no turning, no colour conversion. A PNG with an alpha channel is
    /// refused even where it is opaque everywhere.
    static func decode(_ photo: Data) throws -> (pixels: Pixels, orientation: Int) {
        if photo.first == 0xff, let code = DermportJpeg.flaw(of: [UInt8](photo)) {
            throw DecodingError.refused(code: code)
        }
        guard let source = CGImageSourceCreateWithData(photo as CFData, nil),
              let type = CGImageSourceGetType(source) as String?, ["public.jpeg", "public.png"].contains(type),
              let image = CGImageSourceCreateImageAtIndex(source, 0, nil)
        else { throw DecodingError.notJPEGOrPNG }
        let opaque: [CGImageAlphaInfo] = [.none, .noneSkipLast, .noneSkipFirst]
        guard opaque.contains(image.alphaInfo) else { throw DecodingError.transparent }
        guard image.bitsPerComponent <= 8 else { throw DecodingError.unsupportedColour }
        let properties = CGImageSourceCopyPropertiesAtIndex(source, 0, nil) as? [CFString: Any]
        let orientation = properties?[kCGImagePropertyOrientation] as? Int ?? 1
        return (try stored(image), (1...8).contains(orientation) ? orientation : 1)
    }

    /// Draws an image into a context of the image's own kind of colour space, so that its values stay as stored.
    private static func stored(_ image: CGImage) throws -> Pixels {
        let grey = image.colorSpace?.model == .monochrome
        let space = grey ? CGColorSpaceCreateDeviceGray() : CGColorSpaceCreateDeviceRGB()
        // `copy(colorSpace:)` relabels the values, where drawing alone would convert them; it refuses CMYK and palettes
        guard let relabelled = image.copy(colorSpace: space) else { throw DecodingError.unsupportedColour }
        let channels = grey ? 1 : 4
        var data = [UInt8](repeating: 0, count: image.width * image.height * channels)
        let drawn = data.withUnsafeMutableBytes { memory -> Bool in
            guard let context = CGContext(
                data: memory.baseAddress, width: image.width, height: image.height, bitsPerComponent: 8,
                bytesPerRow: image.width * channels, space: space,
                bitmapInfo: (grey ? CGImageAlphaInfo.none : CGImageAlphaInfo.noneSkipLast).rawValue)
            else { return false }
            context.interpolationQuality = .none
            context.draw(relabelled, in: CGRect(x: 0, y: 0, width: image.width, height: image.height))
            return true
        }
        guard drawn else { throw DecodingError.unsupportedColour }
        let rgb = grey ? data.flatMap { [$0, $0, $0] } : data
        return Pixels(data: rgb, width: image.width, height: image.height, channels: grey ? 3 : 4)
    }
}
#endif
