/**
 * Runs the cases of `bindings/tests/cases.txt`, all of them and no others, and prints a line for each.
 * The exit status is 1 when a case failed or took longer than 20 s, and when the suite and the list
 * differ. `bindings/kotlin/run` does everything that comes before.
 */
package dev.finalmile.tests

import java.io.File
import java.nio.file.Files
import kotlin.concurrent.thread
import kotlin.system.exitProcess
import kotlinx.coroutines.TimeoutCancellationException
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout

private const val LONGEST_MS = 20_000L

/** How often a case is tried that was too slow by some milliseconds. */
private const val TRIES = 3

fun main(arguments: Array<String>) {
    if (arguments.firstOrNull() == "--torn-down") {
        endInTheMiddle(arguments[1], arguments[2])
        return
    }
    val suite = Suite()
    suite.pictures()
    suite.placeholders()
    suite.decoder()
    suite.noPictures()
    suite.contentIds()
    suite.cache()
    suite.cacheKeeps()
    suite.givingUp()
    suite.throttle()
    suite.allTogether()

    val listed = listed()
    val faults = mutableListOf<String>()
    listed.filter { it !in suite.cases }.forEach { faults += "the suite lacks $it" }
    suite.cases.keys.filter { it !in listed }.forEach { faults += "the list lacks $it" }
    val chosen = if (arguments.isEmpty()) listed.filter { it in suite.cases } else arguments.toList()
    val begun = System.nanoTime()
    for (name in chosen) {
        val started = System.nanoTime()
        var wrong = tried(suite.cases.getValue(name))
        val took = (System.nanoTime() - started) / 1_000_000
        if (wrong == null && took > LONGEST_MS) wrong = "it took longer than $LONGEST_MS ms"
        println("${if (wrong == null) "ok" else "FAILED"} $name ($took ms)")
        if (wrong != null) {
            println(wrong.trimEnd())
            faults += "$name failed"
        }
    }
    val took = (System.nanoTime() - begun) / 1_000_000_000
    println("${chosen.size} cases, ${faults.size} faults, $took s")
    faults.forEach(::println)
    exitProcess(if (faults.isEmpty()) 0 else 1)
}

/** The names, in the order of the list. */
private fun listed(): List<String> =
    File(setting("list")).readLines()
        .filter { it.isNotBlank() && !it.startsWith("#") }
        .map { it.substringBefore(":") }

private fun tried(case: Case): String? {
    repeat(TRIES - 1) {
        try {
            return run(case)
        } catch (_: TooSlow) {
            // Once more.
        }
    }
    return try {
        run(case)
    } catch (slow: TooSlow) {
        slow.stackTraceToString()
    }
}

/** What went wrong, if something did. */
private fun run(case: Case): String? {
    val folder = Files.createTempDirectory("finalmile-").toFile()
    // A case that blocks its thread cannot be cancelled.
    val watch = thread(isDaemon = true) {
        try {
            Thread.sleep(LONGEST_MS + 10_000)
            Thread.getAllStackTraces().forEach { (thread, calls) ->
                println("$thread\n${calls.joinToString("\n") { "    at $it" }}")
            }
            println("a case blocks")
            Runtime.getRuntime().halt(1)
        } catch (_: InterruptedException) {
            // It ended in time.
        }
    }
    return try {
        runBlocking { withTimeout(LONGEST_MS) { case(folder) } }
        null
    } catch (_: TimeoutCancellationException) {
        "it took longer than $LONGEST_MS ms"
    } catch (slow: TooSlow) {
        throw slow
    } catch (wrong: Throwable) {
        wrong.stackTraceToString()
    } finally {
        watch.interrupt()
        folder.deleteRecursively()
    }
}
