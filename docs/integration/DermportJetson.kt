// A sketch of the phone's side on Android: answer with LiteRT, queue, post, show both.
// Not compiled here for Android, which the project has no SDK of: only by kotlinc 2.4.20, against stand-ins for Android's classes.
// It follows docs/integration/README.md; hold your build against golden/.
//
// `DermportPrep`, `DermportAbstention` and `DermportClassifier` come with `dermport package --for android`.

import android.content.Context
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.IOException
import java.net.HttpURLConnection
import java.net.URL
import java.security.MessageDigest
import java.time.Instant
import java.time.temporal.ChronoUnit
import java.util.UUID
import kotlin.math.min
import kotlin.math.pow
import kotlin.random.Random
import org.json.JSONArray
import org.json.JSONObject

/** What of the release's signed manifest goes into each request. */
data class Release(val artifactSha256: String, val modelSha256: String, val precision: String)

/** What the app reads of the answer; everything else is ignored, so a newer server is understood. */
data class ComparisonAnswer(
    val id: String,
    val words: String,
    val cause: String, // a String, not an enum: a newer server knows more causes
    val sameLabel: Boolean,
    val serverLabel: String,
    val serverPositive: Boolean?, // null: the server cannot tell (show that with its reasons), or its model knows no decision
    val serverReasons: List<String>, // in words
    val notice: String,
)

/** This request will never be taken. */
class Refused(val code: String, message: String, val remedy: String) : Exception(message)

/** Asking again may help: the entry stays in the queue. */
class Later(message: String, val seconds: Double? = null, cause: Throwable? = null) : IOException(message, cause)

/**
 * Where comparisons wait: files in the app's private storage. Photos here are patients' photos: keep the folder out of
 * backups (android:dataExtractionRules). The request's exact bytes are kept, as asking again must send the same.
 */
class ComparisonQueue(context: Context) {
    private val folder = File(context.noBackupFilesDir, "dermport-queue").apply { mkdirs() }

    class Entry(val key: String, val request: File, val photo: File)

    /** Keeps a comparison before it is posted. The request comes last: an entry without it is not one. */
    fun add(request: JSONObject, photo: ByteArray): Entry {
        val entry = entry(UUID.randomUUID().toString())
        write(entry.photo, photo)
        write(entry.request, request.toString().toByteArray())
        return entry
    }

    /** What waits, the oldest first. */
    fun waiting(): List<Entry> = folder.listFiles { file -> file.extension == "json" }.orEmpty()
        .sortedBy { it.lastModified() }
        .map { entry(it.nameWithoutExtension) }

    fun remove(entry: Entry) {
        entry.request.delete()
        entry.photo.delete()
    }

    private fun entry(key: String) = Entry(key, File(folder, "$key.json"), File(folder, "$key.photo"))

    private fun write(file: File, data: ByteArray) {
        val part = File(folder, "${file.name}.part")
        part.outputStream().use { it.write(data); it.fd.sync() }
        check(part.renameTo(file)) { "cannot write $file" }
    }
}

class DermportJetson(private val server: String, private val key: String?, private val queue: ComparisonQueue) {
    /**
     * Posts what waits, one at a time; throws [Later] where the Jetson is away. Call it from a WorkManager worker with
     * the constraint NetworkType.CONNECTED, and return Result.retry() for [Later].
     */
    fun flush(show: (ComparisonQueue.Entry, Result<ComparisonAnswer>) -> Unit) {
        for (entry in queue.waiting()) {
            show(entry, runCatching { patiently { post(entry) } }.onFailure { if (it !is Refused) throw it })
            queue.remove(entry)
        }
    }

    /** Exponential back-off with full jitter, never shorter than Retry-After. */
    private fun <T> patiently(ask: () -> T): T {
        for (failures in 0 until TRIES - 1) {
            try {
                return ask()
            } catch (busy: Later) {
                val seconds = busy.seconds ?: throw busy
                val bound = min(20.0, 0.5 * 2.0.pow(failures))
                Thread.sleep((1000 * (seconds + Random.nextDouble(bound))).toLong())
            }
        }
        return ask()
    }

    private fun post(entry: ComparisonQueue.Entry): ComparisonAnswer {
        val boundary = "dermport-${UUID.randomUUID()}"
        val body = ByteArrayOutputStream().apply {
            part(boundary, "comparison", "application/json", entry.request.readBytes())
            part(boundary, "photo", "application/octet-stream", entry.photo.readBytes())
            write("--$boundary--\r\n".toByteArray())
        }.toByteArray()
        val connection = URL("$server/v1/comparisons").openConnection() as HttpURLConnection
        try {
            connection.requestMethod = "POST"
            connection.doOutput = true
            connection.connectTimeout = 5_000
            connection.readTimeout = 60_000
            connection.setFixedLengthStreamingMode(body.size) // a chunked body is refused
            connection.setRequestProperty("Content-Type", "multipart/form-data; boundary=$boundary")
            connection.setRequestProperty("Idempotency-Key", entry.key)
            key?.let { connection.setRequestProperty("X-Api-Key", it) }
            connection.outputStream.use { it.write(body) }
            return read(connection)
        } catch (error: Later) {
            throw error
        } catch (error: IOException) {
            throw Later("The Jetson does not answer.", cause = error)
        } finally {
            connection.disconnect()
        }
    }

    private fun read(connection: HttpURLConnection): ComparisonAnswer {
        val status = connection.responseCode
        val stream = if (status < 400) connection.inputStream else connection.errorStream
        val text = stream?.use { it.readBytes().decodeToString() }.orEmpty()
        return when (status) {
            200, 201 -> answer(JSONObject(text))
            429, 503 -> throw Later("busy", connection.getHeaderField("Retry-After")?.toDoubleOrNull() ?: 0.0)
            400, 409, 411, 413, 415, 422 -> JSONObject(text).let {
                throw Refused(it.getString("code"), it.getString("detail"), it.optString("remedy"))
            }
            else -> throw Later("HTTP $status") // 401 and 403, too: the queue is kept until there is a key that may
        }
    }

    private fun answer(document: JSONObject): ComparisonAnswer {
        val verdict = document.getJSONObject("verdict")
        val its = document.getJSONObject("server")
        val decision = its.optJSONObject("decision") // null: the model knows labels alone
        val reasons = decision?.optJSONArray("reasons") ?: JSONArray() // none: an older server, which answers every photo
        return ComparisonAnswer(
            id = document.getString("id"),
            words = verdict.getString("words"),
            cause = verdict.getString("cause"),
            sameLabel = verdict.getBoolean("same_label"),
            serverLabel = its.getString("label"),
            serverPositive = if (decision == null || decision.isNull("positive")) null else decision.getBoolean("positive"),
            serverReasons = List(reasons.length()) { reasons.getJSONObject(it).getString("words") },
            notice = document.getString("notice"),
        )
    }

    private fun ByteArrayOutputStream.part(boundary: String, name: String, type: String, data: ByteArray) {
        write("--$boundary\r\nContent-Disposition: form-data; name=\"$name\"; filename=\"$name\"\r\n".toByteArray())
        write("Content-Type: $type\r\n\r\n".toByteArray())
        write(data)
        write("\r\n".toByteArray())
    }

    private companion object {
        const val TRIES = 8
    }
}

/** The whole way of one photo, as stored: answer, queue; [DermportJetson.flush] posts it. */
fun answer(
    photo: ByteArray, model: DermportClassifier, release: Release, device: UUID, appVersion: String, queue: ComparisonQueue,
): Pair<DermportAnswer, ComparisonQueue.Entry> {
    val said = model.classify(photo)
    val request = JSONObject()
        .put("probabilities", JSONObject(said.probabilities.mapValues { it.value.toDouble().coerceIn(0.0, 1.0) }))
        .put("input_sha256", said.inputSha256)
        .put("photo_sha256", MessageDigest.getInstance("SHA-256").digest(photo).joinToString("") { "%02x".format(it) })
        .put("artifact_sha256", release.artifactSha256)
        .put("model_sha256", release.modelSha256)
        .put("target", "tflite")
        .put("precision", release.precision)
        .put("runtime", "LiteRT, Android ${android.os.Build.VERSION.RELEASE}")
        .put("cannot_tell", said.cannotTell.isNotEmpty())
        .put("device", JSONObject().put("id", device.toString()))
        .put("app_version", appVersion)
        .put("asked", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString())
    return said to queue.add(request, photo)
}
