// Shows the Kotlin port every step of trust.json; prints what differs, and how many steps there were.

import java.io.File
import kotlin.system.exitProcess
import org.json.JSONArray
import org.json.JSONObject

fun main(arguments: Array<String>) {
    val vectors = JSONObject(File(arguments[0]).readText())
    val documents = vectors.getJSONObject("documents")
    val cases = vectors.getJSONArray("cases")
    var steps = 0
    var wrong = 0
    for (index in 0 until cases.length()) {
        val case = cases.getJSONObject(index)
        var trust = DermportTrust(case.getString("pin"))
        for (at in 0 until case.getJSONArray("steps").length()) {
            val step = case.getJSONArray("steps").getJSONObject(at)
            var refused: String? = null
            try {
                trust = DermportTrust(JSONObject(after(trust, step, documents).json.toString()))
            } catch (error: TrustRefused) {
                refused = error.code
            }
            steps++
            val wanted = if (step.isNull("refused")) null else step.getString("refused")
            if (refused != wanted || trust.rootVersion != step.getLong("root_version") || trust.sequence != step.getLong("sequence")) {
                println("${case.getString("name")}, step $at: $refused, ${trust.rootVersion}, ${trust.sequence}; wanted $step")
                wrong++
            }
        }
    }
    println("$steps steps")
    exitProcess(if (wrong == 0) 0 else 1)
}

private fun after(trust: DermportTrust, step: JSONObject, documents: JSONObject): DermportTrust {
    step.optJSONArray("roots")?.let { roots ->
        val shown = List(roots.length()) { JSONObject(documents.getString(roots.getString(it))) }
        return trust.walked(JSONObject().put("roots", JSONArray(shown)))
    }
    if (step.has("installed")) {
        trust.installed(documents.getString(step.getString("installed")))
        return trust
    }
    return trust.admitted(documents.getString(step.getString("manifest")), step.getString("now")).second
}
