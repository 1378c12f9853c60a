/** Giving up: a coroutine that is cancelled ends at once, and what it asked for ends soon. */
package dev.finalmile.tests

import dev.finalmile.cidOfFile
import dev.finalmile.generateThumbnailSet
import java.io.File
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.delay
import kotlinx.coroutines.withTimeout

/** A call of its own, whose end ends nothing else. */
fun <T> called(start: CoroutineStart = CoroutineStart.DEFAULT, call: suspend () -> T): Deferred<T> =
    CoroutineScope(Dispatchers.Default + SupervisorJob()).async(start = start) { call() }

fun Suite.givingUp() {
    case("abort_set") { folder ->
        // The first call of all loads the library, which is not what is measured.
        generateThumbnailSet(image("small.jpg", File(folder, "first")))
        val out = File(folder, "out")
        for (wait in listOf(0L, 2, 5, 10)) {
            val calls = List(6) { called { generateThumbnailSet(image("photo.jpg", out)) } }
            delay(wait)
            calls.reversed().forEach { givesUp(it) }
        }
        // The threads are free again, and what they began is gone.
        generateThumbnailSet(image("small.jpg", File(folder, "other")))
        delay(300)
        if (names(out).isNotEmpty()) {
            throw TooSlow("there is ${names(out)}, unless a set was whole before it was given up")
        }
    }

    case("abort_before") { folder ->
        val out = File(folder, "out")
        val gateway = Gateway(HELLO)
        val cache = opened(File(folder, "cache"), gateway)
        givesUp(called(CoroutineStart.LAZY) { generateThumbnailSet(image("photo.jpg", out)) })
        givesUp(called(CoroutineStart.LAZY) { cache.getCachedOrFetch(wanted(HELLO_CID)) })
        delay(300)
        equal(out.exists() to gateway.requests.size, false to 0)
        cache.shutDown()
    }

    case("abort_fetch") { folder ->
        val gateway = Gateway(HELLO).apply { hangs = true }
        val cache = opened(folder, gateway)
        val call = called { cache.getCachedOrFetch(wanted(HELLO_CID)) }
        delay(200)
        givesUp(call)
        until("there is something left") { left(folder).isEmpty() }
        cache.shutDown()
    }

    case("abort_one_of_two") { folder ->
        val gateway = Gateway(HELLO).apply { delayMs = 300 }
        val cache = opened(folder, gateway)
        val (goes, stays) = List(2) { called { cache.getCachedOrFetch(wanted(HELLO_CID)) } }
        delay(200)
        givesUp(goes)
        val got = withTimeout(10_000) { stays.await() }
        equal(File(got.path).readText(), "hello world")
        equal(gateway.askedFor(HELLO_CID), 1)
        cache.shutDown()
    }

    case("abort_cid") {
        val call = called { cidOfFile(file("big.bin")) }
        delay(20)
        equal(call.isCompleted, false)
        givesUp(call)
    }
}
