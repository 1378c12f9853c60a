/** What the cases share: the list of cases, files, networks in memory. */
package dev.finalmile.tests

import dev.finalmile.CacheSettings
import dev.finalmile.ContentRequest
import dev.finalmile.Failure
import dev.finalmile.GatewaySettings
import dev.finalmile.IpfsCache
import dev.finalmile.MediaKind
import dev.finalmile.Network
import dev.finalmile.NetworkAnswer
import dev.finalmile.NetworkHeader
import dev.finalmile.NetworkRequest
import dev.finalmile.ThumbnailRequest
import dev.finalmile.openCache
import java.io.File
import java.nio.file.Files
import java.nio.file.LinkOption
import java.security.MessageDigest
import java.util.Random
import java.util.concurrent.ConcurrentHashMap
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.atomic.AtomicInteger
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.Deferred
import kotlinx.coroutines.delay

/** Gets a folder of its own, empty. */
typealias Case = suspend (File) -> Unit

class Suite {
    val cases = linkedMapOf<String, Case>()

    /** A case of the list, under its name there. */
    fun case(name: String, run: Case) {
        check(cases.put(name, run) == null) { "there are two of $name" }
    }
}

const val GATEWAY = "https://gateway.example"
val HELLO = "hello world".toByteArray()

/** `printf 'hello world' | sha256sum`, as a raw block's id. */
const val HELLO_CID = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"

fun setting(name: String): String =
    checkNotNull(System.getProperty("finalmile.$name")) { "finalmile.$name is not set" }

fun equal(found: Any?, wanted: Any?) {
    if (found != wanted) throw AssertionError("$found instead of $wanted")
}

fun true_(holds: Boolean, otherwise: () -> String) {
    if (!holds) throw AssertionError(otherwise())
}

/** The failure of a call that has to fail, with one of these codes where some are named. */
suspend fun fails(
    vararg codes: String,
    retryable: Boolean? = null,
    call: suspend () -> Any?,
): Failure.Failed {
    val answer = try {
        call()
    } catch (failure: Failure.Failed) {
        shaped(failure)
        true_(codes.isEmpty() || failure.code in codes) {
            "${failure.code} instead of ${codes.joinToString(" or ")}"
        }
        if (retryable != null) equal(failure.retryable, retryable)
        return failure
    }
    throw AssertionError("it did not fail: $answer")
}

/** A code like `CONTENT_NOT_FOUND`, a sentence that names neither a path nor an id. */
fun shaped(failure: Failure.Failed) {
    val (code, reason) = failure.code to failure.reason
    true_(Regex("[A-Z]+(_[A-Z]+)*").matches(code)) { "the code $code" }
    true_(reason.length > 8 && reason.first().isUpperCase()) { "the reason $reason" }
    for (part in listOf("/", "\\", "bafk", "bafy", "Qm")) {
        true_(part !in reason) { "the reason $reason has $part" }
    }
}

/** Waits until it holds. */
suspend fun until(what: String, patienceMs: Long = 10_000, holds: suspend () -> Boolean) {
    val end = System.nanoTime() + patienceMs * 1_000_000
    while (!holds()) {
        true_(System.nanoTime() < end) { "after $patienceMs ms $what" }
        delay(5)
    }
}

/** Something came too late, which on a machine that is busy with other things may be its fault. */
class TooSlow(what: String) : AssertionError(what)

/** Cancels the call, which has to end as cancelled, in time. */
suspend fun givesUp(call: Deferred<*>, withinMs: Double = 50.0) {
    val begun = System.nanoTime()
    if (call.isCompleted) throw TooSlow("it was done before it was given up")
    call.cancel()
    val ended = runCatching { call.await() }.exceptionOrNull()
    val tookMs = (System.nanoTime() - begun) / 1e6
    if (ended == null) throw TooSlow("it was done before it was given up")
    true_(ended is CancellationException && call.isCancelled) { "it ended with $ended" }
    if (tookMs > withinMs) throw TooSlow("it took $tookMs ms to give up")
}

// --- files ---------------------------------------------------------------------------------------

/** The path of a file that `bindings/tests/fixtures` made. */
fun file(name: String): String {
    val path = File(setting("fixtures"), name)
    check(Files.exists(path.toPath(), LinkOption.NOFOLLOW_LINKS)) { "there is no $path" }
    return path.path
}

/** What a folder holds, also in folders of it; nothing when it is not there. */
fun names(folder: File): List<String> =
    folder.walk().filter { it.isFile }.map { it.relativeTo(folder).path }.sorted().toList()

/** Width and height as the file itself says them (ITU-T T.81, B.2.2). */
fun jpegSize(path: String): Pair<Int, Int> {
    val data = File(path).readBytes()
    fun short(at: Int) = (data[at].toInt() and 255 shl 8) or (data[at + 1].toInt() and 255)
    equal(short(0), 0xffd8)
    var at = 2
    while (short(at) !in setOf(0xffc0, 0xffc1, 0xffc2)) at += 2 + short(at + 2)
    return short(at + 7) to short(at + 5)
}

fun image(name: String, out: File) =
    ThumbnailRequest(path = file(name), kind = MediaKind.IMAGE, outDir = out.path)

fun video(name: String, out: File) =
    ThumbnailRequest(path = file(name), kind = MediaKind.VIDEO, outDir = out.path)

// --- content -------------------------------------------------------------------------------------

/** The id of a single raw block, spelled out: version 1, raw, SHA-256 of 32 bytes, in base32. */
fun rawCid(content: ByteArray): String {
    val digest = MessageDigest.getInstance("SHA-256").digest(content)
    val bits = (byteArrayOf(1, 0x55, 0x12, 0x20) + digest)
        .joinToString("") { (it.toInt() and 255).toString(2).padStart(8, '0') }
    val letters = bits.chunked(5).map {
        "abcdefghijklmnopqrstuvwxyz234567"[it.padEnd(5, '0').toInt(2)]
    }
    return "b" + letters.joinToString("")
}

/** Some bytes, others for each number. */
fun content(number: Int, length: Int = 1000): ByteArray =
    ByteArray(length).also(Random(number.toLong())::nextBytes)

fun wanted(cid: String) = ContentRequest(content = cid)

/** Gateways in memory, which all hold the same blocks. */
class Gateway(vararg blocks: ByteArray) : Network {
    val blocks = ConcurrentHashMap(blocks.associateBy(::rawCid))

    /** Every request but those that find out what a gateway can do: they ask for the empty block. */
    val requests = CopyOnWriteArrayList<NetworkRequest>()
    val cancelled = AtomicInteger()

    @Volatile var status: UShort? = null

    @Volatile var throws: Exception? = null

    @Volatile var delayMs = 0L

    @Volatile var hangs = false

    override suspend fun download(request: NetworkRequest): NetworkAnswer {
        val cid = request.url.substringAfter("/ipfs/").substringBefore("?").substringBefore("/")
        if (cid != "bafkqaaa") requests += request
        throws?.let { throw it }
        try {
            if (hangs) CompletableDeferred<Unit>().await()
            delay(delayMs)
        } catch (gone: CancellationException) {
            cancelled.incrementAndGet()
            throw gone
        }
        status?.let { return NetworkAnswer(it, listOf()) }
        if ("format=raw" !in request.url) return NetworkAnswer(406u, listOf())
        val body = if (cid == "bafkqaaa") byteArrayOf() else blocks[cid]
        if (body == null) return NetworkAnswer(404u, listOf())
        File(request.destination).writeBytes(body)
        val kind = NetworkHeader("Content-Type", "application/vnd.ipld.raw")
        return NetworkAnswer(200u, listOf(kind, NetworkHeader("Content-Length", "${body.size}")))
    }

    fun askedFor(cid: String) = requests.count { "/ipfs/$cid?" in it.url }
}

/** A cache in the folder, with one gateway unless others are named. */
suspend fun opened(
    folder: File,
    network: Network,
    gateways: List<GatewaySettings> = listOf(GatewaySettings(GATEWAY)),
    timeoutS: UInt = 60u,
): IpfsCache {
    val settings = CacheSettings(folder = folder.path, gateways = gateways, timeoutS = timeoutS)
    return openCache(settings, network)
}

fun putFile(folder: File, data: ByteArray): String {
    folder.mkdirs()
    return File(folder, "file.bin").also { it.writeBytes(data) }.path
}
