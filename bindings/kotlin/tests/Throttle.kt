/** The throttle of uploads. */
package dev.finalmile.tests

import dev.finalmile.ThrottleRequest
import dev.finalmile.UploadThrottle
import java.util.concurrent.CopyOnWriteArrayList
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.delay
import kotlinx.coroutines.withTimeout

private suspend fun UploadThrottle.enter(caller: String = "") = enter(ThrottleRequest(caller))

fun Suite.throttle() {
    case("throttle_two") {
        val throttle = UploadThrottle(2u)
        val (first, second) = throttle.enter() to throttle.enter()
        equal(throttle.inside() to throttle.waiting(), 2u to 0u)
        val third = called { throttle.enter("a") }
        until("it does not wait") { throttle.waiting() == 1u }
        delay(50)
        equal(Triple(third.isCompleted, throttle.inside(), throttle.waiting()), Triple(false, 2u, 1u))
        first.release()
        val permit = withTimeout(5_000) { third.await() }
        equal(throttle.inside() to throttle.waiting(), 2u to 0u)
        second.release()
        permit.release()
        equal(throttle.inside(), 0u)
    }

    case("throttle_turns") {
        val throttle = UploadThrottle(1u)
        val entered = CopyOnWriteArrayList<Char>()
        val permit = throttle.enter("a")
        val line = "aaabc".mapIndexed { place, caller ->
            val call = called {
                val mine = throttle.enter("$caller")
                entered += caller
                mine.release()
            }
            until("it does not wait") { throttle.waiting() == place.toUInt() + 1u }
            call
        }
        permit.release()
        withTimeout(5_000) { line.awaitAll() }
        // b and c came last, and yet they go before the second one of those that a sent.
        equal(entered.sorted(), "aaabc".toList())
        equal(entered.takeLast(2), listOf('a', 'a'))
    }

    case("throttle_abort") {
        val throttle = UploadThrottle(1u)
        val permit = throttle.enter()
        val gone = called { throttle.enter("a") }
        until("it does not wait") { throttle.waiting() == 1u }
        val stays = called { throttle.enter("b") }
        until("it does not wait") { throttle.waiting() == 2u }
        givesUp(gone)
        until("the line is as long as before") { throttle.waiting() == 1u }
        permit.release()
        withTimeout(5_000) { stays.await() }.release()
        equal(throttle.inside() to throttle.waiting(), 0u to 0u)
    }

    case("throttle_release") {
        val throttle = UploadThrottle(1u)
        val permit = throttle.enter()
        val second = called { throttle.enter("a") }
        until("it does not wait") { throttle.waiting() == 1u }
        val third = called { throttle.enter("a") }
        until("it does not wait") { throttle.waiting() == 2u }
        permit.release()
        permit.release()
        val next = withTimeout(5_000) { second.await() }
        delay(50)
        equal(Triple(third.isCompleted, throttle.inside(), throttle.waiting()), Triple(false, 1u, 1u))
        next.release()
        withTimeout(5_000) { third.await() }.release()
    }

    case("throttle_none") { failsNow("INVALID_ARGUMENT") { UploadThrottle(0u) } }
}
