// Runs the Kotlin port for test_prep_ports.py: lines "pixels, width, height, channels, size, crop, orientation", by
// tabs; the input of each is written beside its pixels.

import java.io.File

fun main(arguments: Array<String>) {
    for (line in File(arguments[0]).readLines()) {
        val fields = line.split("\t")
        val (width, height, channels, size) = fields.slice(1..4).map { it.toInt() }
        val pixels = DermportPrep.Pixels(File(fields[0]).readBytes(), width, height, channels)
        val crop = if (fields[5] == "centre-square") DermportPrep.Crop.CENTRE_SQUARE else DermportPrep.Crop.FULL_FRAME
        File(fields[0] + ".input").writeBytes(DermportPrep.prepare(pixels, size, crop, fields[6].toInt()))
    }
}
