/** Sets of pictures. */
package dev.finalmile.tests

import dev.finalmile.ProgressListener
import dev.finalmile.ThumbnailFit
import dev.finalmile.cidOfFile
import dev.finalmile.generateThumbnailSet
import java.io.File
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.math.abs
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope

/** Writes down what it is told, and when. */
class Heard : ProgressListener {
    val shares = CopyOnWriteArrayList<Double>()
    val times = CopyOnWriteArrayList<Long>()

    override fun told(share: Double) {
        shares += share
        times += System.nanoTime()
    }
}

fun Suite.pictures() {
    case("image_set") { folder ->
        val set = generateThumbnailSet(image("photo.jpg", folder))
        for ((picture, size) in listOf(set.thumbnail to (300 to 300), set.preview!! to (600 to 450))) {
            equal(picture.widthPx.toInt() to picture.heightPx.toInt(), size)
            equal(jpegSize(picture.path), size)
            equal(picture.sizeBytes.toLong(), File(picture.path).length())
            equal(picture.mediaType, "image/jpeg")
        }
        equal(names(folder).size, 2)
    }

    case("image_set_names") { folder ->
        val set = generateThumbnailSet(image("photo.jpg", folder))
        for (picture in listOf(set.thumbnail, set.preview!!)) {
            equal(picture.path, File(folder, "${picture.cid}.jpg").path)
            equal(cidOfFile(picture.path), picture.cid)
        }
    }

    case("image_set_again") { folder ->
        val first = generateThumbnailSet(image("photo.jpg", folder))
        val there = names(folder)
        val again = generateThumbnailSet(image("photo.jpg", folder))
        equal(again.thumbnail to again.preview, first.thumbnail to first.preview)
        equal(names(folder), there)
    }

    case("image_set_contain") { folder ->
        val request = image("photo.jpg", folder).copy(fit = ThumbnailFit.CONTAIN)
        val thumbnail = generateThumbnailSet(request).thumbnail
        equal(thumbnail.widthPx to thumbnail.heightPx, 300u to 225u)
        equal(jpegSize(thumbnail.path), 300 to 225)
    }

    case("image_set_sizes") { folder ->
        val request = image("photo.jpg", folder).copy(thumbnailSidePx = 100u, previewSidePx = 200u)
        val set = generateThumbnailSet(request)
        equal(jpegSize(set.thumbnail.path), 100 to 100)
        equal(jpegSize(set.preview!!.path), 200 to 150)
    }

    case("image_set_small") { folder ->
        val set = generateThumbnailSet(image("small.jpg", folder))
        equal(set.preview, null)
        val (width, height) = jpegSize(set.thumbnail.path)
        true_(width <= 200 && height <= 150) { "it was enlarged to $width x $height" }
    }

    case("image_set_png") { folder ->
        val set = generateThumbnailSet(image("alpha.png", folder))
        equal(set.source.mediaType to set.thumbnail.mediaType, "image/png" to "image/jpeg")
        equal(jpegSize(set.thumbnail.path), 300 to 300)
    }

    case("image_set_webp") { folder ->
        val set = generateThumbnailSet(image("picture.webp", folder))
        equal(set.source.mediaType, "image/webp")
        equal(jpegSize(set.preview!!.path), 600 to 450)
    }

    case("image_set_gif") { folder ->
        val set = generateThumbnailSet(image("moving.gif", folder))
        equal(set.source.mediaType, "image/gif")
        equal(set.source.widthPx to set.source.heightPx, 320u to 240u)
        equal(jpegSize(set.thumbnail.path), 240 to 240)
    }

    case("image_set_upright") { folder ->
        val set = generateThumbnailSet(image("upright.jpg", folder))
        equal(set.source.widthPx to set.source.heightPx, 900u to 1200u)
        equal(jpegSize(set.preview!!.path), 450 to 600)
        // The same picture, turned in its pixels, looks the same from afar.
        val turned = generateThumbnailSet(image("turned.jpg", folder))
        equal(set.blurhash.take(2), turned.blurhash.take(2))
        val far = set.thumbhash.zip(turned.thumbhash).count { (a, b) -> abs(a - b) >= 12 }
        true_(far <= 4) { "${set.thumbhash.toList()} and ${turned.thumbhash.toList()}" }
    }

    case("image_set_source") { folder ->
        val source = generateThumbnailSet(image("photo.jpg", folder)).source
        equal(source.mediaType to source.durationMs, "image/jpeg" to null)
        equal(source.widthPx to source.heightPx, 4000u to 3000u)
    }

    case("image_set_partial") { folder ->
        val cut = generateThumbnailSet(image("cut.jpg", folder))
        equal(cut.partial, true)
        equal(jpegSize(cut.preview!!.path), 600 to 450)
        equal(generateThumbnailSet(image("photo.jpg", folder)).partial, false)
    }

    case("image_set_quality") { folder ->
        val good = generateThumbnailSet(image("photo.jpg", folder).copy(quality = 90u))
        val poor = generateThumbnailSet(image("photo.jpg", folder).copy(quality = 30u))
        true_(poor.thumbnail.sizeBytes < good.thumbnail.sizeBytes) { "the poor thumbnail is larger" }
        true_(poor.preview!!.sizeBytes < good.preview!!.sizeBytes) { "the poor preview is larger" }
    }

    case("image_set_progress") { folder ->
        val heard = List(4) { Heard() }
        coroutineScope {
            val request = image("photo.jpg", folder)
            heard.map { async { generateThumbnailSet(request, progress = it) } }.awaitAll()
        }
        for (each in heard) {
            true_(each.shares.isNotEmpty()) { "nothing was heard" }
            equal(each.shares.toList(), each.shares.sorted())
            true_(each.shares.first() >= 0 && each.shares.last() <= 1) { "shares of ${each.shares}" }
            for (begun in each.times) {
                val within = each.times.count { it >= begun && it < begun + 1_000_000_000 }
                true_(within <= 11) { "$within in a second" }
            }
        }
    }

    case("image_set_ten") { folder ->
        val sets = coroutineScope {
            List(10) { async { generateThumbnailSet(image("photo.jpg", File(folder, "$it"))) } }
                .awaitAll()
        }
        equal(sets.map { it.thumbnail.cid }.toSet().size, 1)
        equal(names(folder).size, 20)
    }

    case("image_set_twins") { folder ->
        val (one, other) = coroutineScope {
            List(2) { async { generateThumbnailSet(image("photo.jpg", folder)) } }.awaitAll()
        }
        equal(one.thumbnail to one.preview, other.thumbnail to other.preview)
        equal(jpegSize(one.thumbnail.path), 300 to 300)
        equal(names(folder).size, 2)
    }

    case("video_set") { folder ->
        val set = generateThumbnailSet(video("scene.mp4", folder))
        for (picture in listOf(set.thumbnail, set.preview!!)) {
            equal(jpegSize(picture.path), picture.widthPx.toInt() to picture.heightPx.toInt())
        }
    }

    case("video_set_moment") { folder ->
        val early = generateThumbnailSet(video("moments.mp4", folder).copy(atMs = 0u))
        val late = generateThumbnailSet(video("moments.mp4", folder).copy(atMs = 2_500u))
        true_(early.thumbnail.cid != late.thumbnail.cid) { "both moments look the same" }
    }

    case("video_set_source") { folder ->
        val source = generateThumbnailSet(video("scene.mp4", folder)).source
        true_(source.mediaType.startsWith("video/")) { source.mediaType }
        equal(source.widthPx to source.heightPx, 352u to 198u)
        equal(source.durationMs, 400u)
    }
}
