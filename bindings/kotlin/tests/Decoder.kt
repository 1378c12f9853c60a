/** The host's own decoder. */
package dev.finalmile.tests

import dev.finalmile.DecodeRequest
import dev.finalmile.HostFailure
import dev.finalmile.PictureDecoder
import dev.finalmile.generateThumbnailSet
import java.io.File
import java.util.concurrent.CopyOnWriteArrayList
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.delay
import kotlinx.coroutines.withTimeout

/** Answers every request alike, and writes them down. */
private class Decoder(private val answer: () -> String?) : PictureDecoder {
    val requests = CopyOnWriteArrayList<DecodeRequest>()

    override suspend fun decode(request: DecodeRequest): String? {
        requests += request
        delay(10)
        return answer()
    }
}

/** Never answers. */
private object Silent : PictureDecoder {
    override suspend fun decode(request: DecodeRequest): String? =
        CompletableDeferred<String?>().await()
}

fun Suite.decoder() {
    case("decoder_picture") { folder ->
        val answer = File(file("other.jpg")).copyTo(File(folder, "decoded.jpg"))
        val decoder = Decoder { answer.path }
        val set = generateThumbnailSet(image("card.heic", File(folder, "out")), decoder)
        val request = decoder.requests.single()
        equal(request.path to request.mediaType, file("card.heic") to "image/heic")
        equal(request.atMs, null)
        true_(request.wantedSidePx >= 600u) { "a side of ${request.wantedSidePx} px" }
        equal(jpegSize(set.thumbnail.path), 300 to 300)
        equal(set.source.mediaType, "image/heic")
        true_(answer.exists()) { "the decoder's file is the host's to remove" }
    }

    case("decoder_video") { folder ->
        val decoder = Decoder { file("other.jpg") }
        val request = video("hevc.mp4", folder).copy(atMs = 400u)
        val set = generateThumbnailSet(request, decoder)
        val asked = decoder.requests.first()
        equal(asked.path to asked.atMs, file("hevc.mp4") to 400u)
        true_(asked.mediaType.startsWith("video/")) { asked.mediaType }
        equal(jpegSize(set.thumbnail.path), 300 to 300)
    }

    case("decoder_declines") { folder ->
        val decoder = Decoder { null }
        fails("UNSUPPORTED_IMAGE") { generateThumbnailSet(image("card.heic", folder), decoder) }
        equal(decoder.requests.size, 1)
        equal(names(folder), listOf<String>())
    }

    case("decoder_throws") { folder ->
        val thrown = listOf(
            HostFailure.Failed("no memory in /tmp/secret"),
            IllegalStateException("/tmp/secret"),
        )
        for (each in thrown) {
            fails { generateThumbnailSet(image("card.heic", folder), Decoder { throw each }) }
        }
        equal(names(folder), listOf<String>())
    }

    case("decoder_never_answers") { folder ->
        val request = image("card.heic", folder).copy(timeoutMs = 300u)
        withTimeout(5_000) { fails { generateThumbnailSet(request, Silent) } }
        equal(names(folder), listOf<String>())
    }

    case("decoder_answers_nowhere") { folder ->
        val nowhere = Decoder { File(folder, "nothing.jpg").path }
        fails { generateThumbnailSet(image("card.heic", File(folder, "out")), nowhere) }
        equal(names(folder), listOf<String>())
    }

    case("decoder_missing") { folder ->
        fails("UNSUPPORTED_IMAGE") { generateThumbnailSet(image("card.heic", folder)) }
        equal(names(folder), listOf<String>())
    }
}
