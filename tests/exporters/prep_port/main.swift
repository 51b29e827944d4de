// Runs the Swift port for test_prep_ports.py: lines "pixels, width, height, channels, size, crop, orientation", by
// tabs; the input of each is written beside its pixels.

import Foundation

let cases = try String(contentsOfFile: CommandLine.arguments[1], encoding: .utf8)
for line in cases.split(separator: "\n") {
    let fields = line.split(separator: "\t").map(String.init)
    let data = [UInt8](try Data(contentsOf: URL(fileURLWithPath: fields[0])))
    let pixels = DermportPrep.Pixels(
        data: data, width: Int(fields[1])!, height: Int(fields[2])!, channels: Int(fields[3])!)
    let crop: DermportPrep.Crop = fields[5] == "centre-square" ? .centreSquare : .fullFrame
    let input = DermportPrep.prepare(pixels, size: Int(fields[4])!, crop: crop, orientation: Int(fields[6])!)
    try Data(input).write(to: URL(fileURLWithPath: fields[0] + ".input"))
}
