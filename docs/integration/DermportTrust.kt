// Which manifests a phone believes, on Android: roots, sequence numbers, ends, as docs/integration/README.md says.
// Not compiled here for Android: by kotlinc, with org.json's jar, and held against golden/trust.json on a JVM.

import java.security.GeneralSecurityException
import java.security.KeyFactory
import java.security.Signature
import java.security.spec.X509EncodedKeySpec
import java.time.Instant
import java.time.temporal.ChronoUnit
import java.util.Base64
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/** A signed document that is refused; [code] is "untrusted", "replayed", "expired" or "unknown-form". The model on the phone goes on. */
class TrustRefused(val code: String, message: String) : Exception(message)

/** Whether a raw Ed25519 key of 32 bytes signed. Where Android has no "Ed25519", give Tink's `Ed25519Verify(key).verify(...)`. */
fun interface Ed25519 {
    fun signed(key: ByteArray, signature: ByteArray, bytes: ByteArray): Boolean

    companion object {
        private val SPKI = byteArrayOf(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00)

        val JAVA = Ed25519 { key, signature, bytes ->
            try {
                val public = KeyFactory.getInstance("Ed25519").generatePublic(X509EncodedKeySpec(SPKI + key))
                Signature.getInstance("Ed25519").run { initVerify(public); update(bytes); verify(signature) }
            } catch (_: GeneralSecurityException) {
                false
            }
        }
    }
}

/**
 * What this phone believes of its server. Store [json] before the model that it led to; every function returns what is
 * believed next. [pin]: base64 of the root key (or, of an older app, the signing key) that the phone was paired with.
 */
class DermportTrust private constructor(
    private val pin: String,
    private val root: JSONObject?,
    private val past: List<String>,
    val sequence: Long,
    private val ed25519: Ed25519,
) {
    constructor(pin: String, ed25519: Ed25519 = Ed25519.JAVA) : this(pin, null, listOf(), 0, ed25519)

    constructor(stored: JSONObject, ed25519: Ed25519 = Ed25519.JAVA) : this(
        stored.getString("pin"), stored.optJSONObject("root"), strings(stored.getJSONArray("past")),
        stored.getLong("sequence"), ed25519,
    )

    val json: JSONObject
        get() = JSONObject().put("pin", pin).put("root", root).put("past", JSONArray(past)).put("sequence", sequence)

    /** 0: none is known. */
    val rootVersion: Long get() = root?.getLong("version") ?: 0

    private val releaseKeys: List<String> get() = root?.let { strings(it.getJSONArray("release_keys")) } ?: listOf(pin)

    /**
     * Follows every root that there is now: [answer] is that of `/v1/roots?after=[rootVersion]`. Where none is known yet,
     * those before the first that the pin signed are passed over.
     */
    fun walked(answer: JSONObject): DermportTrust {
        val roots = answer.getJSONArray("roots")
        var trust = this
        for (index in 0 until roots.length()) {
            try {
                trust = trust.followed(roots.getJSONObject(index).toString())
            } catch (refused: TrustRefused) {
                if (trust.root != null) throw refused
            }
        }
        return trust
    }

    /** The manifest that may be installed at [now], and what is believed then: store it before the files are fetched. */
    fun admitted(envelope: String, now: String = utc()): Pair<JSONObject, DermportTrust> {
        root?.let { refuseExpired("What the server's root key signed", it.getString("expires"), now) }
        val manifest = read(envelope, RELEASE_TYPE, releaseKeys, ::isManifest)
        val which = "The manifest of ${manifest.getString("name")} ${manifest.getString("version")}"
        if (manifest.isNull("sequence")) {
            if (root != null || sequence > 0) throw TrustRefused("replayed", "$which has no number, and earlier ones had.")
            return manifest to this
        }
        val number = manifest.getLong("sequence")
        if (number < sequence) throw TrustRefused("replayed", "$which is an old one: number $number, $sequence was seen.")
        refuseExpired(which, manifest.getString("expires"), now)
        return manifest to DermportTrust(pin, root, past, number, ed25519)
    }

    /** The manifest of what was installed: one that was admitted once stays good, however old it is. */
    fun installed(envelope: String): JSONObject = read(envelope, RELEASE_TYPE, past + releaseKeys, ::isManifest)

    private fun followed(envelope: String): DermportTrust {
        val by = root?.let { strings(it.getJSONArray("root_keys")) } ?: listOf(pin)
        val next = read(envelope, ROOT_TYPE, by, ::isRoot)
        verified(envelope, ROOT_TYPE, strings(next.getJSONArray("root_keys")))
        val version = next.getLong("version")
        val follows = if (root != null) version == rootVersion + 1
        else version == 1L || pin in strings(next.getJSONArray("root_keys"))
        if (!follows) throw TrustRefused("replayed", "Root $version does not follow root $rootVersion.")
        // Who had stolen the key that is gone may have signed any sequence with it: counting begins anew.
        val stays = releaseKeys.any { it in strings(next.getJSONArray("release_keys")) }
        return DermportTrust(pin, next, (past + releaseKeys).distinct(), if (stays) sequence else 0, ed25519)
    }

    private fun read(envelope: String, type: String, keys: List<String>, known: (JSONObject) -> Boolean): JSONObject {
        val bytes = verified(envelope, type, keys)
        val document = try { JSONObject(bytes.decodeToString()).takeIf(known) } catch (_: JSONException) { null }
        return document ?: throw TrustRefused("unknown-form", "The app is too old for what the server signs: update it.")
    }

    /** The payload of a DSSE envelope that one of [keys] signed. */
    private fun verified(envelope: String, type: String, keys: List<String>): ByteArray {
        try {
            val sealed = JSONObject(envelope)
            val payload = base64(sealed.getString("payload"))
            val head = "DSSEv1 ${type.length} $type ${payload.size} ".toByteArray()
            val signatures = sealed.getJSONArray("signatures")
            val isSigned = (0 until signatures.length()).map { base64(signatures.getJSONObject(it).getString("sig")) }
                .any { signature -> keys.any { ed25519.signed(base64(it), signature, head + payload) } }
            if (sealed.getString("payloadType") == type && isSigned) return payload
        } catch (_: JSONException) {
        } catch (_: IllegalArgumentException) {
        }
        throw TrustRefused("untrusted", "It was changed on the way, or signed by a key that this phone does not trust.")
    }

    private fun refuseExpired(what: String, expires: String, now: String) {
        if (expires <= now) throw TrustRefused(
            "expired",
            "$what ended on ${expires.take(10)}, and this phone's clock says ${now.take(10)}: it was not renewed, or the " +
                "clock of the phone or of the server is wrong. The model on this phone goes on.",
        )
    }

    companion object {
        private const val RELEASE_TYPE = "application/vnd.dermport.release+json"
        private const val ROOT_TYPE = "application/vnd.dermport.root+json"
        private const val LARGEST_SEQUENCE = 9_007_199_254_740_991
        private val UTC = Regex("""\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ""") // so written, text compares as time does
        private val KEY = Regex("[A-Za-z0-9+/]{43}=")

        /** Now, as signed documents write it. */
        fun utc(): String = Instant.now().truncatedTo(ChronoUnit.SECONDS).toString()

        private fun isManifest(it: JSONObject): Boolean {
            val isOld = it.isNull("sequence") && it.isNull("expires")
            return it.optString("schema") == "dermport-release/1" &&
                it.optJSONObject("preprocessing")?.optString("id") == "dermport-prep/1" &&
                (isOld || isCount(it.opt("sequence")) && it.optString("expires").matches(UTC))
        }

        private fun isRoot(it: JSONObject): Boolean = it.optString("schema") == "dermport-root/1" &&
            isCount(it.opt("version")) && it.optString("expires").matches(UTC) &&
            listOf("root_keys", "release_keys").all { name -> areKeys(it.optJSONArray(name)) }

        private fun areKeys(keys: JSONArray?): Boolean =
            keys != null && keys.length() > 0 && strings(keys).all { it.matches(KEY) }

        private fun isCount(number: Any?): Boolean =
            (number is Int || number is Long) && (number as Number).toLong() in 1..LARGEST_SEQUENCE

        private fun strings(array: JSONArray): List<String> = List(array.length()) { array.getString(it) }

        private fun base64(text: String): ByteArray =
            Base64.getDecoder().decode(text.replace('-', '+').replace('_', '/'))
    }
}
