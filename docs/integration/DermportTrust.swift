// Which manifests a phone believes, on iOS: roots, sequence numbers, ends, as docs/integration/README.md says.
// Not compiled here for iOS: by Swift 6.0.3 on Linux, with libsodium in the place of CryptoKit, and held against golden/trust.json.

import Foundation
#if canImport(CryptoKit)
import CryptoKit
#endif

/// A signed document that is refused; the model on the phone goes on.
struct TrustRefused: Error {
    /// "untrusted", "replayed", "expired" or "unknown-form"
    let code: String
    let message: String
}

/// Whether a raw Ed25519 key of 32 bytes signed.
typealias Ed25519 = @Sendable (_ key: Data, _ signature: Data, _ bytes: Data) -> Bool

#if canImport(CryptoKit)
let ed25519: Ed25519 = { key, signature, bytes in
    (try? Curve25519.Signing.PublicKey(rawRepresentation: key))?.isValidSignature(signature, for: bytes) ?? false
}
#endif

/// `dermport-root/1`: which keys may sign.
struct DermportRoot: Codable {
    let schema: String
    let version: Int
    let expires: String
    let root_keys: [String]
    let release_keys: [String]

    var isKnown: Bool {
        schema == "dermport-root/1" && isCount(version) && isTime(expires) && areKeys(root_keys) && areKeys(release_keys)
    }
}

/// What of `dermport-release/1` decides whether it is believed.
struct DermportManifest: Decodable {
    struct Preprocessing: Decodable { let id: String }
    let schema: String
    let name: String
    let version: String
    let preprocessing: Preprocessing
    let sequence: Int?
    let expires: String?

    var isKnown: Bool {
        let isOld = sequence == nil && expires == nil
        return schema == "dermport-release/1" && preprocessing.id == "dermport-prep/1"
            && (isOld || sequence.map(isCount) ?? false && expires.map(isTime) ?? false)
    }
}

/// What this phone believes of its server. Store it (it is Codable) before the model that it led to; every function returns
/// what is believed next.
struct DermportTrust: Codable {
    /// base64 of the root key (or, of an older app, the signing key) that the phone was paired with
    let pin: String
    var root: DermportRoot?
    var past: [String] = []
    var sequence = 0

    init(pin: String) { self.pin = pin }

    private var releaseKeys: [String] { root?.release_keys ?? [pin] }

    /// Follows every root that there is now: `answer` is that of `/v1/roots?after=<root.version or 0>`. Where none is known
    /// yet, those before the first that the pin signed are passed over.
    func walked(_ answer: Data, by signed: Ed25519) throws -> DermportTrust {
        guard let roots = try? JSONDecoder().decode(Roots.self, from: answer).roots else { throw untrusted }
        var trust = self
        for root in roots {
            do {
                trust = try trust.followed(root, by: signed)
            } catch let refused as TrustRefused {
                if trust.root != nil { throw refused }
            }
        }
        return trust
    }

    /// The manifest's bytes, which may be installed at `now`, and what is believed then: store it before files are fetched.
    func admitted(_ envelope: Data, now: String = utc(), by signed: Ed25519) throws -> (Data, DermportTrust) {
        if let root { try refuseExpired("What the server's root key signed", root.expires, now) }
        let (bytes, manifest) = try DermportTrust.manifest(envelope, releaseKeys, signed)
        let which = "The manifest of \(manifest.name) \(manifest.version)"
        guard let number = manifest.sequence, let expires = manifest.expires else {
            if root == nil && sequence == 0 { return (bytes, self) }
            throw TrustRefused(code: "replayed", message: "\(which) has no number, and earlier ones had.")
        }
        if number < sequence {
            throw TrustRefused(code: "replayed", message: "\(which) is an old one: number \(number), \(sequence) was seen.")
        }
        try refuseExpired(which, expires, now)
        var next = self
        next.sequence = number
        return (bytes, next)
    }

    /// The manifest of what was installed: one that was admitted once stays good, however old it is.
    func installed(_ envelope: Data, by signed: Ed25519) throws -> Data {
        try DermportTrust.manifest(envelope, past + releaseKeys, signed).0
    }

    private func followed(_ envelope: Envelope, by signed: Ed25519) throws -> DermportTrust {
        let bytes = try verified(envelope, rootType, root?.root_keys ?? [pin], signed)
        guard let next = try? JSONDecoder().decode(DermportRoot.self, from: bytes), next.isKnown else { throw tooOld }
        _ = try verified(envelope, rootType, next.root_keys, signed)
        let follows = root.map { next.version == $0.version + 1 } ?? (next.version == 1 || next.root_keys.contains(pin))
        guard follows else {
            throw TrustRefused(code: "replayed", message: "Root \(next.version) does not follow \(root?.version ?? 0).")
        }
        var trust = self
        // Who had stolen the key that is gone may have signed any sequence with it: counting begins anew.
        trust.sequence = releaseKeys.contains(where: next.release_keys.contains) ? sequence : 0
        trust.past += releaseKeys.filter { !past.contains($0) }
        trust.root = next
        return trust
    }

    private static func manifest(_ envelope: Data, _ keys: [String], _ signed: Ed25519) throws -> (Data, DermportManifest) {
        guard let sealed = try? JSONDecoder().decode(Envelope.self, from: envelope) else { throw untrusted }
        let bytes = try verified(sealed, "application/vnd.dermport.release+json", keys, signed)
        guard let manifest = try? JSONDecoder().decode(DermportManifest.self, from: bytes), manifest.isKnown else {
            throw tooOld
        }
        return (bytes, manifest)
    }
}

/// A time as signed documents write it.
func utc(_ time: Date = Date()) -> String { ISO8601DateFormatter().string(from: time) }

private let rootType = "application/vnd.dermport.root+json"
private let tooOld = TrustRefused(code: "unknown-form", message: "The app is too old for what the server signs: update it.")

private let untrusted = TrustRefused(
    code: "untrusted", message: "It was changed on the way, or signed by a key that this phone does not trust.")

private struct Envelope: Decodable {
    struct Signature: Decodable { let sig: String }
    let payload: String
    let payloadType: String
    let signatures: [Signature]
}

private struct Roots: Decodable { let roots: [Envelope] }

/// The payload of a DSSE envelope that one of `keys` signed.
private func verified(_ sealed: Envelope, _ type: String, _ keys: [String], _ signed: Ed25519) throws -> Data {
    guard sealed.payloadType == type, let payload = base64(sealed.payload) else { throw untrusted }
    let bytes = Data("DSSEv1 \(type.utf8.count) \(type) \(payload.count) ".utf8) + payload
    for signature in sealed.signatures.compactMap({ base64($0.sig) }) {
        if keys.compactMap(base64).contains(where: { signed($0, signature, bytes) }) { return payload }
    }
    throw untrusted
}

private func refuseExpired(_ what: String, _ expires: String, _ now: String) throws {
    guard expires <= now else { return }
    throw TrustRefused(
        code: "expired",
        message: "\(what) ended on \(expires.prefix(10)), and this phone's clock says \(now.prefix(10)): it was not renewed, or "
            + "the clock of the phone or of the server is wrong. The model on this phone goes on.")
}

private func isCount(_ number: Int) -> Bool { (1...9_007_199_254_740_991).contains(number) }

private func isTime(_ text: String) -> Bool { // so written, text compares as time does
    text.range(of: #"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"#, options: .regularExpression) != nil
}

private func areKeys(_ keys: [String]) -> Bool {
    !keys.isEmpty && keys.allSatisfy { base64($0)?.count == 32 }
}

private func base64(_ text: String) -> Data? {
    Data(base64Encoded: text.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/"))
}
