// Runs the Swift walk for test_prep_ports.py: paths of JPEGs, a line each; prints a line each, "sound" or a code.

import Foundation

for path in try String(contentsOfFile: CommandLine.arguments[1], encoding: .utf8).split(separator: "\n") {
    let data = [UInt8](try Data(contentsOf: URL(fileURLWithPath: String(path))))
    print(DermportJpeg.flaw(of: data) ?? "sound")
}
