// When the model cannot tell: dermport/bundle/abstention.py's rule on the model's input, the arithmetic of the server in Double.
// Compiled and run on Linux, not on a phone: hold its results against cannot-tell.json.

import Foundation

struct DermportAbstention {
    /// Why the model cannot tell: `value` of the input lies beyond `bound`.
    struct Reason: Equatable {
        let code: String
        let value: Double
        let bound: Double
    }

    /// The rule holds a value against a bound that this file does not know.
    struct UnknownValue: Error { let name: String }

    private struct Manifest: Decodable { let abstention: Rule? }
    private struct Rule: Decodable {
        let score: Score
        let reference: Reference
        let threshold: Double
        let quality: [Bound]
    }
    private enum Score: String, Decodable { case inputDistance = "input-distance" }
    private struct Reference: Decodable { let names: [String]; let mean: [Double]; let precision: [[Double]] }
    private struct Bound: Decodable { let code: String; let side: Side; let threshold: Double }
    private enum Side: String, Decodable { case below, above }

    private let rule: Rule?

    /// `manifest`: bundle.json, whose `abstention` is the rule; without one all is answered. Throws where this file
    /// does not know the rule: then nothing may be decided.
    init(manifest: Data) throws {
        rule = try JSONDecoder().decode(Manifest.self, from: manifest).abstention
        let known = Self.faults + Self.colours.flatMap { [$0, "\($0)-spread"] }
        for name in (rule?.quality.map(\.code) ?? []) + (rule?.reference.names ?? []) where !known.contains(name) {
            throw UnknownValue(name: name)
        }
    }

    /// Of the prepared photo, size * size * 3 bytes as DermportPrep.prepare gives them; none: the model can tell.
    func reasons(_ tensor: [UInt8], size: Int) -> [Reason] {
        guard let rule else { return [] }
        let values = Self.values(tensor, size: size)
        var found: [Reason] = []
        for bound in rule.quality {
            guard let value = values[bound.code] else { continue }
            let beyond = bound.side == .below ? value < bound.threshold : value > bound.threshold
            if beyond { found.append(Reason(code: "quality:\(bound.code)", value: value, bound: bound.threshold)) }
        }
        if let away = Self.distance(rule.reference, values), away > rule.threshold {
            found.append(Reason(code: "out_of_distribution", value: away, bound: rule.threshold))
        }
        return found
    }

    private static let faults = ["too-dark", "too-bright", "blurred", "noisy", "over-compressed", "no-lesion"]
    private static let colours = ["light", "red-green", "yellow-blue"]
    private static let blocks = 16
    private static let margin = 2 // blocks at each edge that are left out: dermatoscopes darken the corners
    private static let least = 8 // pixels a side, below which nothing is said of sharpness and grain
    private static let floorOfNoise = 4.0 // levels²: the variance that noise and rounding leave in an even picture
    private static let normal = 0.6745 // the median of |x|, x of the standard normal distribution

    /// What the rule holds against its bounds, by name; what cannot be said of so small an input is missing.
    static func values(_ tensor: [UInt8], size: Int) -> [String: Double] {
        precondition(size > 0 && tensor.count == size * size * 3, "\(tensor.count) bytes, \(size) pixels a side")
        let grey = (0..<(size * size)).map { (pixel: Int) -> Float in
            let at = pixel * 3
            let (red, green, blue) = (Double(tensor[at]), Double(tensor[at + 1]), Double(tensor[at + 2]))
            let level: Double = red * 0.299 + green * 0.587 + blue * 0.114
            return Float(level)
        }
        let sorted = grey.sorted()
        let last = Double(sorted.count - 1)
        var found = [
            "too-dark": Double(sorted[Int(0.95 * last)]),
            "too-bright": Double(sorted[Int(0.05 * last)]),
        ]
        if size >= least {
            let across = convolved(grey, size: size, line: size, step: 1)
            let left = varianceOfLaplacian(convolved(across, size: size, line: 1, step: size), size: size)
            found["blurred"] = (left + floorOfNoise) / (varianceOfLaplacian(grey, size: size) + floorOfNoise)
            let grain = grainOf(grey, size: size)
            found["noisy"] = grain
            found["over-compressed"] = grain
        }
        if size >= blocks { addBlocks(blockMeans(tensor, size: size), to: &found) }
        return found
    }

    /// Each of `size` lines with the binomial weights 1, 4, 6, 4, 1; edges are repeated.
    private static func convolved(_ data: [Float], size: Int, line: Int, step: Int) -> [Float] {
        var result = [Float](repeating: 0, count: data.count)
        for row in 0..<size {
            func value(_ at: Int) -> Double { Double(data[row * line + min(size - 1, max(0, at)) * step]) }
            for at in 0..<size {
                var sum = value(at - 2) + 4 * value(at - 1)
                sum += 6 * value(at)
                sum += 4 * value(at + 1)
                sum += value(at + 2)
                result[row * line + at * step] = Float(sum / 16)
            }
        }
        return result
    }

    /// The standard deviation of what differs from pixel to pixel: the median size of Immerkær's mask.
    private static func grainOf(_ grey: [Float], size: Int) -> Double {
        func across(_ at: Int) -> Double { Double(grey[at - 1]) - 2 * Double(grey[at]) + Double(grey[at + 1]) }
        var sizes: [Double] = []
        for y in 1..<(size - 1) {
            for x in 1..<(size - 1) {
                let at = y * size + x
                let around: Double = across(at - size) + across(at + size)
                sizes.append(abs(around - 2 * across(at)))
            }
        }
        return sizes.sorted()[(sizes.count - 1) / 2] / (6 * normal)
    }

    private static func varianceOfLaplacian(_ data: [Float], size: Int) -> Double {
        var laplacian: [Double] = []
        for y in 1..<(size - 1) {
            for x in 1..<(size - 1) {
                let at = y * size + x
                var around = Double(data[at - 1]) + Double(data[at + 1])
                around += Double(data[at - size])
                around += Double(data[at + size])
                laplacian.append(around - 4 * Double(data[at]))
            }
        }
        return variance(laplacian)
    }

    private static func mean(_ values: [Double]) -> Double {
        values.reduce(0, +) / Double(values.count)
    }

    private static func variance(_ values: [Double]) -> Double {
        let middle = mean(values)
        return mean(values.map { ($0 - middle) * ($0 - middle) })
    }

    /// The means of 16 x 16 blocks, [red, green, blue] of each.
    private static func blockMeans(_ tensor: [UInt8], size: Int) -> [[Double]] {
        var sums = [[Int]](repeating: [0, 0, 0], count: blocks * blocks)
        var counts = [Int](repeating: 0, count: blocks * blocks)
        for pixel in 0..<(size * size) {
            let block = pixel / size * blocks / size * blocks + pixel % size * blocks / size
            for channel in 0..<3 { sums[block][channel] += Int(tensor[pixel * 3 + channel]) }
            counts[block] += 1
        }
        return zip(sums, counts).map { sum, count in sum.map { Double($0) / Double(count) } }
    }

    private static func addBlocks(_ means: [[Double]], to found: inout [String: Double]) {
        let kept = margin..<(blocks - margin)
        let light: [Double] = means.map { ($0[0] + $0[1] + $0[2]) / 3 }
        let inside = light.indices.filter { kept.contains($0 / blocks) && kept.contains($0 % blocks) }.map { light[$0] }
        found["no-lesion"] = inside.max()! - inside.min()!
        let planes: [(String, [Double])] = [
            ("light", light),
            ("red-green", means.map { $0[0] - $0[1] }),
            ("yellow-blue", means.map { ($0[0] + $0[1]) / 2 - $0[2] }),
        ]
        for (name, plane) in planes {
            found[name] = mean(plane)
            found["\(name)-spread"] = log(1 + variance(plane).squareRoot())
        }
    }

    /// The Mahalanobis distance of the values from the reference; nil where one of them cannot be said.
    private static func distance(_ reference: Reference, _ values: [String: Double]) -> Double? {
        var away: [Double] = []
        for (name, middle) in zip(reference.names, reference.mean) {
            guard let value = values[name] else { return nil }
            away.append(value - middle)
        }
        var square = 0.0
        for (one, weights) in zip(away, reference.precision) {
            for (weight, other) in zip(weights, away) { square += one * weight * other }
        }
        return max(0, square).squareRoot()
    }
}
