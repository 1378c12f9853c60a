/** Many calls, calls within calls, and an end in the middle of all. */
package dev.finalmile.tests

import dev.finalmile.DecodeRequest
import dev.finalmile.Failure
import dev.finalmile.PictureDecoder
import dev.finalmile.ProgressListener
import dev.finalmile.canonicalCid
import dev.finalmile.cidOfBytes
import dev.finalmile.cidOfFile
import dev.finalmile.generateThumbnailSet
import java.io.File
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.TimeUnit
import kotlin.system.exitProcess
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout

fun Suite.allTogether() {
    case("many_calls") { folder ->
        val blocks = Array(10) { content(it) }
        val cache = opened(File(folder, "cache"), Gateway(HELLO, *blocks))
        cache.getCachedOrFetch(wanted(HELLO_CID))
        val ids = listOf(HELLO_CID) + blocks.map(::rawCid) + "no id"
        val kinds = listOf<suspend (Int) -> Any>(
            { cidOfBytes(content(it)) },
            { cache.getCachedOrFetch(wanted(ids[it % ids.size])) },
            { cidOfFile(file(if (it % 3 > 0) "hello.txt" else "folder")) },
            { generateThumbnailSet(image("small.jpg", File(folder, "out"))) },
            { cache.stats() },
        )
        val answers = coroutineScope {
            List(1000) { async { runCatching { kinds[it % kinds.size](it) } } }.awaitAll()
        }
        equal(answers.size, 1000)
        val failures = answers.mapNotNull { it.exceptionOrNull() }
        for (failure in failures) {
            if (failure !is Failure.Failed) throw failure
            true_(failure.code in listOf("INVALID_CID", "FILE_UNREADABLE")) { failure.code }
        }
        true_(failures.size in 1..199) { "${failures.size} failures" }
        cache.shutDown()
    }

    case("callback_calls_back") { folder ->
        val answers = CopyOnWriteArrayList<String>()
        val curious = object : ProgressListener {
            override fun told(share: Double) {
                answers += canonicalCid(HELLO_CID)
                // JNA then says on the standard error that it "could not detach thread": it tries to as
                // the inner call comes back, while the thread is still needed for the outer one.
                answers += runBlocking { withTimeout(10_000) { cidOfBytes(HELLO) } }
            }
        }
        generateThumbnailSet(image("photo.jpg", folder), progress = curious)
        equal(answers.toSet(), setOf(HELLO_CID))
    }

    case("listener_throws") { folder ->
        val told = CopyOnWriteArrayList<Double>()
        val clumsy = object : ProgressListener {
            override fun told(share: Double) {
                told += share
                throw IllegalStateException("clumsy")
            }
        }
        val set = generateThumbnailSet(image("photo.jpg", folder), progress = clumsy)
        true_(told.isNotEmpty()) { "nothing was told" }
        equal(jpegSize(set.thumbnail.path), 300 to 300)
    }

    case("failure_shape") { folder ->
        val cache = opened(folder, Gateway())
        val secret = File(folder, "secret.jpg").path
        val calls = listOf<suspend () -> Any?>(
            { cidOfFile(secret) },
            { generateThumbnailSet(image("text.txt", folder)) },
            { cache.getCachedOrFetch(wanted(HELLO_CID)) },
            { cache.put(secret) },
            { cache.pin("no id") },
        )
        for (call in calls) {
            val failure = fails { call() }
            shaped(failure)
            // What is logged is what it says: its code, its sentence and whether to retry.
            val said = "code=${failure.code}, reason=${failure.reason}, retryable=${failure.retryable}"
            equal(failure.message, said)
            true_("secret" !in "$failure" && HELLO_CID !in "$failure") { "$failure" }
        }
        cache.shutDown()
    }

    case("torn_down") { folder ->
        for (how in listOf("exit", "return")) {
            val java = File(System.getProperty("java.home"), "bin/java").path
            val settings = listOf("fixtures", "list").map { "-Dfinalmile.$it=${setting(it)}" }
            val libraries = listOf("jna.library.path", "jna.boot.library.path").mapNotNull { name ->
                System.getProperty(name)?.let { "-D$name=$it" }
            }
            val program = listOf("-cp", System.getProperty("java.class.path"), "dev.finalmile.tests.MainKt")
            val command = listOf(java) + settings + libraries + program +
                listOf("--torn-down", how, File(folder, how).path)
            val errors = File(folder, "$how.err")
            val child = ProcessBuilder(command).redirectError(errors).start()
            try {
                equal(child.inputReader().readLine(), "ends")
                val begun = System.nanoTime()
                true_(child.waitFor(5, TimeUnit.SECONDS)) { "$how: it does not end" }
                val tookMs = (System.nanoTime() - begun) / 1_000_000
                true_(child.exitValue() == 0) { "$how: ${child.exitValue()}\n${errors.readText()}" }
                true_(tookMs < 2_000) { "$how: it took $tookMs ms to end" }
            } finally {
                child.destroyForcibly()
            }
        }
    }
}

/** Ends in the middle of sets, of fetches, of the host's own decoder and of its listeners. */
fun endInTheMiddle(how: String, folder: String) = runBlocking {
    val slow = object : PictureDecoder {
        override suspend fun decode(request: DecodeRequest): String? {
            delay(10)
            return null
        }
    }
    val cache = opened(File(folder, "cache"), Gateway().apply { status = 500u })
    repeat(20) {
        called { generateThumbnailSet(image("photo.jpg", File(folder)), slow, Heard()) }
        called { generateThumbnailSet(image("card.heic", File(folder)), slow, Heard()) }
        called { cache.getCachedOrFetch(wanted(HELLO_CID)) }
    }
    repeat(500) { called { cidOfFile(file("hello.txt")) } }
    called { cache.prefetch(listOf(wanted(rawCid(content(1))))) }
    delay(150)
    println("ends")
    if (how == "exit") exitProcess(0)
}
