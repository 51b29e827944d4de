// Runs the Kotlin walk for test_prep_ports.py: paths of JPEGs, a line each; prints a line each, "sound" or a code.

import java.io.File

fun main(arguments: Array<String>) {
    for (path in File(arguments[0]).readLines()) println(DermportJpeg.flawOf(File(path).readBytes()) ?: "sound")
}
