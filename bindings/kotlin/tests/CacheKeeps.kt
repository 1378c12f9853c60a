/** What the cache keeps, and what it lets go. */
package dev.finalmile.tests

import dev.finalmile.ContentKind
import dev.finalmile.IpfsCache
import java.io.File
import kotlinx.coroutines.withTimeout

/** A cache without a gateway that holds so many files, and their ids. */
private suspend fun holding(folder: File, count: Int, length: Int = 1000): Pair<IpfsCache, List<String>> {
    val cache = opened(File(folder, "cache"), Gateway(), gateways = listOf())
    val ids = List(count) { number ->
        val put = cache.put(putFile(folder, content(number, length)))
        equal(put.cid, rawCid(content(number, length)))
        put.cid
    }
    return cache to ids
}

private fun there(cache: IpfsCache, ids: List<String>) = ids.map { cache.peek(wanted(it)) != null }

fun Suite.cacheKeeps() {
    case("cache_pin") { folder ->
        val (cache, ids) = holding(folder, 2)
        cache.pin(ids[0])
        cache.trim(0u)
        equal(there(cache, ids), listOf(true, false))
        equal(cache.stats().pinnedBytes, 1000.0)
        cache.shutDown()
    }

    case("cache_unpin") { folder ->
        val (cache, ids) = holding(folder, 1)
        cache.pin(ids[0])
        equal(cache.unpin(ids[0]), true)
        cache.trim(0u)
        equal(there(cache, ids), listOf(false))
        equal(cache.unpin(ids[0]), false)
        cache.shutDown()
    }

    case("cache_remove") { folder ->
        val (cache, ids) = holding(folder, 2)
        equal(cache.remove(ids[0]), true)
        equal(there(cache, ids), listOf(false, true))
        equal(cache.remove(ids[0]), false)
        cache.shutDown()
    }

    case("cache_trim") { folder ->
        val (cache, ids) = holding(folder, 6, 700_000)
        cache.trim(2u)
        val stats = cache.stats()
        true_(stats.bytes <= (2 shl 20)) { "${stats.bytes} bytes are left" }
        equal(there(cache, ids).count { it }.toDouble(), stats.entries)
        // What was used last is kept.
        equal(there(cache, ids).last(), true)
        cache.shutDown()
    }

    case("cache_clear") { folder ->
        val (cache, ids) = holding(folder, 3)
        cache.pin(ids[0])
        cache.clear()
        equal(there(cache, ids), listOf(false, false, false))
        val stats = cache.stats()
        equal(listOf(stats.entries, stats.bytes, stats.pinnedBytes), listOf(0.0, 0.0, 0.0))
        cache.shutDown()
    }

    case("cache_stats") { folder ->
        val cache = opened(File(folder, "cache"), Gateway(HELLO))
        cache.put(putFile(folder, content(0)), ContentKind.THUMBNAIL)
        repeat(3) { cache.getCachedOrFetch(wanted(HELLO_CID)) }
        val stats = cache.stats()
        equal(listOf(stats.entries, stats.bytes), listOf(2.0, 1011.0))
        equal(listOf(stats.hits, stats.misses, stats.evictions), listOf(2.0, 1.0, 0.0))
        cache.shutDown()
    }

    case("cache_suspend") { folder ->
        val (cache, ids) = holding(folder, 1)
        cache.suspend()
        cache.resume()
        equal(there(cache, ids), listOf(true))
        val got = cache.getCachedOrFetch(wanted(ids[0]))
        equal(File(got.path).readBytes().contentEquals(content(0)), true)
        cache.shutDown()
    }

    case("cache_reopen") { folder ->
        val (before, ids) = holding(folder, 2)
        before.pin(ids[0])
        before.shutDown()
        val cache = opened(File(folder, "cache"), Gateway(), gateways = listOf())
        equal(there(cache, ids), listOf(true, true))
        val got = cache.getCachedOrFetch(wanted(ids[1]))
        equal(got.source, "cache")
        equal(File(got.path).readBytes().contentEquals(content(1)), true)
        cache.trim(0u)
        equal(there(cache, ids), listOf(true, false))
        cache.shutDown()
    }

    case("cache_closed") { folder ->
        val gateway = Gateway(HELLO)
        val cache = opened(File(folder, "cache"), gateway)
        val put = putFile(folder, content(0))
        cache.put(put)
        cache.shutDown()
        val calls = mapOf<String, suspend () -> Any?>(
            "getCachedOrFetch" to { cache.getCachedOrFetch(wanted(HELLO_CID)) },
            "put" to { cache.put(put) },
            "pin" to { cache.pin(HELLO_CID) },
            "unpin" to { cache.unpin(HELLO_CID) },
            "remove" to { cache.remove(HELLO_CID) },
            "trim" to { cache.trim(1u) },
            "clear" to { cache.clear() },
            "stats" to { cache.stats() },
            "resume" to { cache.resume() },
            "prefetch" to { cache.prefetch(listOf(wanted(HELLO_CID))) },
            "prefetchNext" to { cache.prefetchNext(listOf(HELLO_CID, HELLO_CID), 0u) },
        )
        for ((name, call) in calls) {
            try {
                withTimeout(5_000) { fails("CLOSED") { call() } }
            } catch (fault: AssertionError) {
                throw AssertionError("$name: ${fault.message}")
            }
        }
        equal(cache.peek(wanted(rawCid(content(0)))), null)
        equal(gateway.requests.size, 0)
        cache.shutDown()
        // The object itself may go as well, and again.
        cache.close()
        cache.close()
    }
}
