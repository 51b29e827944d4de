// A sketch of the phone's side on iOS: answer with Core ML, queue, post, show both. For iOS 16 and later.
// Not compiled here for iOS, which takes a Mac: only by Swift 6.0.3 on Linux, with stand-ins for Apple's frameworks. There
// the queue and its requests ran against a real server.
// It follows docs/integration/README.md; hold your build against golden/.
//
// `DermportPrep`, `DermportAbstention` and `DermportClassifier` come with `dermport package --for ios`.

import CryptoKit
import Foundation

/// What is posted. It is encoded once, written to the queue, and sent as it was written.
struct ComparisonRequest: Codable {
    struct Device: Codable { let id: String; let model: String? }
    let probabilities: [String: Double]
    let input_sha256: String
    let photo_sha256: String
    let artifact_sha256: String
    let model_sha256: String?
    let target: String
    let precision: String
    let runtime: String
    let cannot_tell: Bool
    let device: Device?
    let app_version: String
    let asked: Date
}

/// What the app reads of the answer. Everything else is ignored, so a newer server is understood.
struct ComparisonAnswer: Decodable {
    struct Verdict: Decodable {
        let same_label: Bool
        let same_decision: Bool? // nil: the model knows labels alone
        let same_input: Bool
        let change: Double
        let cause: String // a String, not an enum: a newer server knows more causes
        let words: String
    }
    struct Reason: Decodable { let code: String; let words: String; let remedy: String }
    /// `positive` is nil where the model cannot tell (`answer` is "cannot_tell"): show that with its reasons, and no decision.
    struct Decision: Decodable {
        let name: String
        let positive: Bool?
        let score: Double
        let threshold: Double
        let reasons: [Reason]? // nil: an older server, which answers every photo
    }
    struct Server: Decodable { let label: String; let probabilities: [String: Double]; let decision: Decision? }
    let id: String
    let verdict: Verdict
    let server: Server
    let notice: String
}

struct Problem: Decodable, Error { let code: String; let detail: String; let remedy: String? }

/// One comparison that the Jetson does not have yet: two files in the app's protected storage.
struct Queued {
    let key: UUID
    let request: URL
    let photo: URL
}

/// Where comparisons wait. Photos here are patients' photos: protected, and out of backups.
final class ComparisonQueue {
    private let folder: URL

    init() throws {
        let support = try FileManager.default.url(
            for: .applicationSupportDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
        folder = support.appendingPathComponent("dermport-queue", isDirectory: true)
        try FileManager.default.createDirectory(
            at: folder, withIntermediateDirectories: true, attributes: [.protectionKey: FileProtectionType.complete])
        var values = URLResourceValues()
        values.isExcludedFromBackup = true
        var excluded = folder
        try excluded.setResourceValues(values)
    }

    /// Keeps a comparison before it is posted. The request comes last: an entry without it is not one.
    func add(_ said: ComparisonRequest, photo: Data) throws -> Queued {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        let entry = entry(UUID())
        try photo.write(to: entry.photo, options: [.atomic, .completeFileProtection])
        try encoder.encode(said).write(to: entry.request, options: [.atomic, .completeFileProtection])
        return entry
    }

    /// What waits, the oldest first.
    func waiting() throws -> [Queued] {
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: [.creationDateKey])
        let requests = files.filter { $0.pathExtension == "json" }
        let age: (URL) -> Date = { (try? $0.resourceValues(forKeys: [.creationDateKey]).creationDate) ?? .distantPast }
        return requests.sorted { age($0) < age($1) }
            .compactMap { UUID(uuidString: $0.deletingPathExtension().lastPathComponent) }
            .map(entry)
    }

    func remove(_ entry: Queued) throws {
        try FileManager.default.removeItem(at: entry.request)
        try FileManager.default.removeItem(at: entry.photo)
    }

    private func entry(_ key: UUID) -> Queued {
        let name = folder.appendingPathComponent(key.uuidString)
        return Queued(
            key: key, request: name.appendingPathExtension("json"), photo: name.appendingPathExtension("photo"))
    }
}

actor DermportJetson {
    /// Asking again may help; the entry stays in the queue.
    enum Later: Error { case busy(seconds: Double), failed(status: Int), unreachable(Error) }

    private let server: URL
    private let key: String?
    private let queue: ComparisonQueue
    private let session: URLSession

    init(server: URL, key: String?, queue: ComparisonQueue) {
        (self.server, self.key, self.queue) = (server, key, queue)
        let configuration = URLSessionConfiguration.ephemeral // no cache of photos or answers
        configuration.timeoutIntervalForRequest = 60
        configuration.waitsForConnectivity = false
        session = URLSession(configuration: configuration)
    }

    /// Posts what waits, one at a time. Call it when the app is opened and when NWPathMonitor reports a network.
    func flush(_ show: (Queued, Result<ComparisonAnswer, Problem>) -> Void) async throws {
        var failures = 0
        for entry in try queue.waiting() {
            while true {
                do {
                    show(entry, .success(try await post(entry)))
                    try queue.remove(entry)
                } catch let refused as Problem { // this one will never be taken: say so, and go on with the next
                    show(entry, .failure(refused))
                    try queue.remove(entry)
                } catch Later.busy(let seconds) where failures < 8 {
                    failures += 1
                    let bound = min(20, 0.5 * pow(2, Double(failures - 1)))
                    try await Task.sleep(nanoseconds: UInt64(1e9 * (seconds + .random(in: 0...bound))))
                    continue
                }
                failures = 0
                break
            }
        }
    }

    private func post(_ entry: Queued) async throws -> ComparisonAnswer {
        let boundary = "dermport-\(UUID().uuidString)"
        var request = URLRequest(url: server.appendingPathComponent("/v1/comparisons"))
        request.httpMethod = "POST"
        request.setValue("multipart/form-data; boundary=\(boundary)", forHTTPHeaderField: "Content-Type")
        request.setValue(entry.key.uuidString, forHTTPHeaderField: "Idempotency-Key")
        if let key { request.setValue(key, forHTTPHeaderField: "X-Api-Key") }
        var body = Data()
        body.append(part("comparison", try Data(contentsOf: entry.request), "application/json", boundary))
        body.append(part("photo", try Data(contentsOf: entry.photo), "application/octet-stream", boundary))
        body.append(Data("--\(boundary)--\r\n".utf8))
        let (data, response): (Data, URLResponse)
        do { (data, response) = try await session.upload(for: request, from: body) } catch { throw Later.unreachable(error) }
        guard let http = response as? HTTPURLResponse else { throw Later.failed(status: 0) }
        switch http.statusCode {
        case 200, 201:
            return try JSONDecoder().decode(ComparisonAnswer.self, from: data)
        case 429, 503:
            throw Later.busy(seconds: Double(http.value(forHTTPHeaderField: "Retry-After") ?? "") ?? 0)
        case 400, 409, 411, 413, 415, 422:
            throw try JSONDecoder().decode(Problem.self, from: data)
        default: // 401 and 403, too: the queue is kept until there is a key that may
            throw Later.failed(status: http.statusCode)
        }
    }

    private func part(_ name: String, _ data: Data, _ type: String, _ boundary: String) -> Data {
        let head = "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(name)\"; filename=\"\(name)\"\r\n"
        return Data("\(head)Content-Type: \(type)\r\n\r\n".utf8) + data + Data("\r\n".utf8)
    }
}

/// The whole way of one photo, as stored: answer, queue; `flush` posts it.
func answer(_ photo: Data, with model: DermportClassifier, release: (artifact: String, model: String, precision: String),
            device: UUID, queue: ComparisonQueue) throws -> (DermportAnswer, Queued) {
    let said = try model.classify(photo)
    let request = ComparisonRequest(
        probabilities: said.probabilities.mapValues { min(1, max(0, $0)) }, // rounding may leave 0...1 by 1e-7
        input_sha256: said.inputSHA256,
        photo_sha256: SHA256.hash(data: photo).map { String(format: "%02x", $0) }.joined(),
        artifact_sha256: release.artifact, // from the signed manifest
        model_sha256: release.model,
        target: "coreml",
        precision: release.precision,
        runtime: "Core ML, \(ProcessInfo.processInfo.operatingSystemVersionString)",
        cannot_tell: !said.cannotTell.isEmpty,
        device: .init(id: device.uuidString, model: nil),
        app_version: Bundle.main.infoDictionary?["CFBundleShortVersionString"] as? String ?? "0",
        asked: Date())
    return (said, try queue.add(request, photo: photo))
}
