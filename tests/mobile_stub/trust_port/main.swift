// Shows the Swift port every step of trust.json; prints what differs, and how many steps there were.

import Foundation

@_silgen_name("crypto_sign_verify_detached")
func sodium(_ signature: UnsafePointer<UInt8>, _ bytes: UnsafePointer<UInt8>, _ count: UInt64, _ key: UnsafePointer<UInt8>) -> Int32

let signed: Ed25519 = { key, signature, bytes in
    key.count == 32 && signature.count == 64 && sodium([UInt8](signature), [UInt8](bytes), UInt64(bytes.count), [UInt8](key)) == 0
}

struct Vectors: Decodable {
    struct Case: Decodable { let name: String; let pin: String; let steps: [Step] }
    struct Step: Decodable {
        let roots: [String]?
        let manifest: String?
        let installed: String?
        let now: String?
        let refused: String?
        let root_version: Int
        let sequence: Int
    }
    let documents: [String: String]
    let cases: [Case]
}

let vectors = try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: URL(fileURLWithPath: CommandLine.arguments[1])))
func document(_ name: String) -> Data { Data(vectors.documents[name]!.utf8) }

func after(_ trust: DermportTrust, _ step: Vectors.Step) throws -> DermportTrust {
    if let roots = step.roots {
        let shown = roots.map { vectors.documents[$0]! }.joined(separator: ",")
        return try trust.walked(Data("{\"roots\": [\(shown)]}".utf8), by: signed)
    }
    if let name = step.installed {
        _ = try trust.installed(document(name), by: signed)
        return trust
    }
    return try trust.admitted(document(step.manifest!), now: step.now!, by: signed).1
}

var (steps, wrong) = (0, 0)
for one in vectors.cases {
    var trust = DermportTrust(pin: one.pin)
    for (index, step) in one.steps.enumerated() {
        var refused: String?
        do {
            let next = try after(trust, step)
            trust = try JSONDecoder().decode(DermportTrust.self, from: JSONEncoder().encode(next))
        } catch let error as TrustRefused {
            refused = error.code
        }
        steps += 1
        if (refused, trust.root?.version ?? 0, trust.sequence) != (step.refused, step.root_version, step.sequence) {
            print("\(one.name), step \(index): \(refused ?? "taken"), \(trust.root?.version ?? 0), \(trust.sequence)")
            wrong += 1
        }
    }
}
print("\(steps) steps")
exit(wrong == 0 ? 0 : 1)
