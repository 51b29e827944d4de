// Runs the Kotlin port for test_abstention_ports.py: lines "manifest, size, tensor" in, values and reasons out, by tabs.

import java.io.File
import org.json.JSONObject

fun main(arguments: Array<String>) {
    for (line in File(arguments[0]).readLines()) {
        val (manifest, side, file) = line.split("\t")
        val (size, tensor) = side.toInt() to File(file).readBytes()
        DermportAbstention.values(tensor, size).forEach { (name, value) -> println("value\t$name\t$value") }
        val rule = DermportAbstention(JSONObject(File(manifest).readText()))
        rule.reasons(tensor, size).forEach { println("reason\t${it.code}\t${it.value}\t${it.bound}") }
        println("end")
    }
}
