/** The cache, and the network behind it. */
package dev.finalmile.tests

import dev.finalmile.CacheSettings
import dev.finalmile.GatewaySettings
import dev.finalmile.HostFailure
import dev.finalmile.cidOfFile
import dev.finalmile.openCache
import java.io.File
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.withTimeout

/** What a cache's folder holds of content, whole or in parts, and of answers. */
fun left(folder: File) = names(folder).filter { "baf" in it || ".answers" in it }

fun Suite.cache() {
    case("cache_fetch") { folder ->
        val gateway = Gateway(HELLO)
        val cache = opened(folder, gateway)
        val first = cache.getCachedOrFetch(wanted(HELLO_CID))
        equal(File(first.path).readText(), "hello world")
        equal(listOf(first.cid, first.sizeBytes, first.source, first.kept), listOf(HELLO_CID, 11.0, "raw", true))
        equal(gateway.askedFor(HELLO_CID), 1)
        val again = cache.getCachedOrFetch(wanted(HELLO_CID.uppercase()))
        equal(again.path to again.source, first.path to "cache")
        equal(gateway.requests.size, 1)
        cache.shutDown()
    }

    case("cache_put") { folder ->
        val gateway = Gateway()
        val cache = opened(folder, gateway)
        val put = cache.put(file("chunks.bin"))
        equal(put.cid to put.source, cidOfFile(file("chunks.bin")) to "put")
        val got = cache.getCachedOrFetch(wanted(put.cid))
        equal(got.path to got.source, put.path to "cache")
        equal(File(got.path).readBytes().contentEquals(File(file("chunks.bin")).readBytes()), true)
        equal(gateway.requests.size, 0)
        cache.shutDown()
    }

    case("cache_once") { folder ->
        val gateway = Gateway(HELLO).apply { delayMs = 100 }
        val cache = opened(folder, gateway)
        val files = coroutineScope {
            List(20) { async { cache.getCachedOrFetch(wanted(HELLO_CID)) } }.awaitAll()
        }
        equal(files.map { it.path }.toSet().size, 1)
        equal(gateway.requests.size, 1)
        cache.shutDown()
    }

    case("cache_peek") { folder ->
        val cache = opened(folder, Gateway(HELLO))
        equal(cache.peek(wanted(HELLO_CID)), null)
        val got = cache.getCachedOrFetch(wanted(HELLO_CID))
        equal(cache.peek(wanted(HELLO_CID)), got.path)
        equal(cache.peek(wanted("no id")), null)
        cache.shutDown()
    }

    case("cache_liar") { folder ->
        val gateway = Gateway()
        gateway.blocks[HELLO_CID] = "hello there".toByteArray()
        val cache = opened(folder, gateway)
        fails { cache.getCachedOrFetch(wanted(HELLO_CID)) }
        equal(cache.peek(wanted(HELLO_CID)), null)
        until("there is something left") { left(folder).isEmpty() }
        cache.shutDown()
    }

    case("cache_status") { folder ->
        val gateway = Gateway(HELLO).apply { status = 500u }
        val cache = opened(folder, gateway, timeoutS = 2u)
        fails { cache.getCachedOrFetch(wanted(HELLO_CID)) }
        cache.shutDown()
    }

    case("cache_unreachable") { folder ->
        val gateway = Gateway(HELLO).apply { throws = HostFailure.Failed("no route to /tmp/secret") }
        val cache = opened(folder, gateway)
        fails(retryable = true) { cache.getCachedOrFetch(wanted(HELLO_CID)) }
        cache.shutDown()
    }

    case("cache_odd_throw") { folder ->
        val gateway = Gateway(HELLO).apply { throws = ArithmeticException("/tmp/secret") }
        val cache = opened(folder, gateway)
        fails { cache.getCachedOrFetch(wanted(HELLO_CID)) }
        cache.shutDown()
    }

    case("cache_never") { folder ->
        val gateway = Gateway(HELLO).apply { hangs = true }
        val cache = opened(folder, gateway, timeoutS = 1u)
        withTimeout(18_000) { fails { cache.getCachedOrFetch(wanted(HELLO_CID)) } }
        until("the network was not told") { gateway.cancelled.get() > 0 }
        cache.shutDown()
    }

    case("cache_offline") { folder ->
        val cache = opened(File(folder, "cache"), Gateway(HELLO), gateways = listOf())
        val put = cache.put(putFile(folder, HELLO))
        equal(cache.getCachedOrFetch(wanted(HELLO_CID)).path, put.path)
        fails { cache.getCachedOrFetch(wanted(rawCid(content(1)))) }
        cache.shutDown()
    }

    case("cache_token") { folder ->
        val gateway = Gateway()
        val gateways = listOf(
            GatewaySettings("https://one.example"),
            GatewaySettings("https://mine.example", token = "secret"),
            GatewaySettings("https://two.example"),
        )
        val cache = opened(folder, gateway, gateways = gateways)
        fails { cache.getCachedOrFetch(wanted(HELLO_CID)) }
        val (with, without) = gateway.requests.partition { request ->
            "secret" in request.url || request.headers.any { "secret" in it.value }
        }
        equal(with.map { it.url.split("/")[2] }.toSet(), setOf("mine.example"))
        equal(without.map { it.url.split("/")[2] }.toSet(), setOf("one.example", "two.example"))
        cache.shutDown()
    }

    case("cache_progress") { folder ->
        val data = content(0, 1 shl 20)
        val cache = opened(folder, Gateway(data))
        val ear = Heard()
        cache.getCachedOrFetch(wanted(rawCid(data)), ear)
        true_(ear.shares.isNotEmpty()) { "nothing was heard" }
        equal(ear.shares.toList() to ear.shares.last(), ear.shares.sorted() to 1.0)
        cache.shutDown()
    }

    case("cache_prefetch") { folder ->
        val blocks = Array(5) { content(it) }
        val gateway = Gateway(*blocks)
        val cache = opened(folder, gateway)
        val ids = blocks.map(::rawCid)
        cache.prefetch((ids + "no id").map(::wanted))
        until("they are not there") { ids.all { cache.peek(wanted(it)) != null } }
        equal(gateway.requests.size, 5)
        cache.shutDown()
    }

    case("cache_prefetch_next") { folder ->
        val blocks = Array(7) { content(it) }
        val gateway = Gateway(*blocks)
        val cache = opened(folder, gateway)
        val ids = blocks.map(::rawCid)
        cache.prefetchNext(ids.take(3) + "no id" + ids.drop(3), 1u)
        val following = ids.subList(2, 5)
        until("they are not there") { following.all { cache.peek(wanted(it)) != null } }
        delay(200)
        equal(ids.filter { cache.peek(wanted(it)) != null }, following)
        equal(gateway.requests.size, 3)
        // The last one has nothing after it.
        cache.prefetchNext(ids, 6u)
        cache.prefetchNext(ids, 4_000_000_000u)
        cache.shutDown()
    }

    case("cache_bad_gateway") { folder ->
        val wrong = listOf("http://gateway.example", "gateway", "", "ftp://gateway.example", "https://")
        for (url in wrong) {
            val settings = CacheSettings(folder.path, listOf(GatewaySettings(url)))
            fails("INVALID_GATEWAY") { openCache(settings, Gateway()) }
        }
        equal(names(folder), listOf<String>())
    }

    case("cache_bad_folder") { folder ->
        val taken = putFile(folder, "a file".toByteArray())
        val settings = CacheSettings(taken, listOf(GatewaySettings(GATEWAY)))
        fails("CACHE_UNAVAILABLE") { openCache(settings, Gateway()) }
        equal(File(taken).readText(), "a file")
    }

    case("cache_bad_content") { folder ->
        val gateway = Gateway()
        val cache = opened(folder, gateway)
        for (none in listOf("", "no id", HELLO_CID.dropLast(1))) {
            fails("INVALID_CID") { cache.getCachedOrFetch(wanted(none)) }
            fails("INVALID_CID") { cache.pin(none) }
            fails("INVALID_CID") { cache.unpin(none) }
            fails("INVALID_CID") { cache.remove(none) }
        }
        equal(gateway.requests.size, 0)
        cache.shutDown()
    }
}
