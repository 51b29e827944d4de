// Runs the Swift port for test_abstention_ports.py: lines "manifest, size, tensor" in, values and reasons out, by tabs.

import Foundation

let cases = try String(contentsOfFile: CommandLine.arguments[1], encoding: .utf8)
for line in cases.split(separator: "\n") {
    let fields = line.split(separator: "\t").map(String.init)
    let size = Int(fields[1])!
    let tensor = [UInt8](try Data(contentsOf: URL(fileURLWithPath: fields[2])))
    for (name, value) in DermportAbstention.values(tensor, size: size) { print("value\t\(name)\t\(value)") }
    let rule = try DermportAbstention(manifest: Data(contentsOf: URL(fileURLWithPath: fields[0])))
    for reason in rule.reasons(tensor, size: size) { print("reason\t\(reason.code)\t\(reason.value)\t\(reason.bound)") }
    print("end")
}
