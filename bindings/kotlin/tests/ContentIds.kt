/** Content ids. */
package dev.finalmile.tests

import dev.finalmile.ImportProfile
import dev.finalmile.canonicalCid
import dev.finalmile.cidOfBytes
import dev.finalmile.cidOfFile
import dev.finalmile.cidToV0
import java.io.File
import kotlinx.coroutines.withTimeout

/** What kubo's `ipfs add --cid-version 0` says of `hello world`, and the same hash as version 1. */
private const val HELLO_V0 = "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD"
private const val HELLO_DAG_PB = "bafybeihykld7uyxzogax6vgyvag42y7464eywpf55gxi5qpoisibh3c5wa"

fun Suite.contentIds() {
    case("cid_file") {
        equal(rawCid(HELLO), HELLO_CID)
        equal(cidOfFile(file("hello.txt")), HELLO_CID)
    }

    case("cid_file_v0") { equal(cidOfFile(file("hello.txt"), ImportProfile.UNIXFS_V0), HELLO_V0) }

    case("cid_file_large") {
        equal(cidOfFile(file("chunks.bin")), File(file("chunks.cid")).readText().trim())
    }

    case("cid_bytes") {
        equal(cidOfBytes(HELLO), HELLO_CID)
        equal(cidOfBytes(ByteArray(0)), cidOfFile(file("empty")))
    }

    case("cid_bytes_many") {
        fails("INVALID_ARGUMENT") { cidOfBytes(ByteArray((64 shl 10) + 1)) }
        equal(cidOfBytes(ByteArray(64 shl 10)), rawCid(ByteArray(64 shl 10)))
    }

    case("cid_canonical") {
        for (spelling in listOf(HELLO_DAG_PB, HELLO_DAG_PB.uppercase(), HELLO_V0)) {
            equal(canonicalCid(spelling), HELLO_DAG_PB)
        }
        equal(canonicalCid(HELLO_CID), HELLO_CID)
    }

    case("cid_to_v0") {
        equal(cidToV0(HELLO_DAG_PB), HELLO_V0)
        equal(cidToV0(HELLO_V0), HELLO_V0)
        equal(cidToV0(HELLO_CID), null)
    }

    case("cid_bad") {
        val short = HELLO_CID.dropLast(1)
        for (none in listOf("", "no id", "Qm", short, "${HELLO_CID}a", "bafk\u0000")) {
            failsNow("INVALID_CID") { canonicalCid(none) }
            failsNow("INVALID_CID") { cidToV0(none) }
        }
    }

    case("cid_no_file") { folder ->
        for (path in listOf(file("folder"), File(folder, "missing").path)) {
            fails("FILE_UNREADABLE") { cidOfFile(path) }
        }
        withTimeout(5_000) { fails { cidOfFile(file("pipe")) } }
    }
}
