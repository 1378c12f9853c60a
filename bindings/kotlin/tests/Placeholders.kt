/** Placeholders: what is shown until a picture comes. */
package dev.finalmile.tests

import dev.finalmile.Failure
import dev.finalmile.MediaKind
import dev.finalmile.PlaceholderRequest
import dev.finalmile.generatePlaceholder
import dev.finalmile.generateThumbnailSet
import dev.finalmile.paintPlaceholder
import java.nio.ByteBuffer
import java.util.Base64

fun Suite.placeholders() {
    case("placeholder_image") { folder ->
        val placeholder = generatePlaceholder(PlaceholderRequest(file("photo.jpg"), MediaKind.IMAGE))
        equal(placeholder.blurhash.length, 28)
        true_(placeholder.thumbhash.size in 1..25) { "${placeholder.thumbhash.size} bytes" }
        equal(placeholder.widthPx to placeholder.heightPx, 4000u to 3000u)
        equal(placeholder.partial, false)
        equal(names(folder), listOf<String>())
        val set = generateThumbnailSet(image("photo.jpg", folder))
        equal(placeholder.blurhash, set.blurhash)
        equal(placeholder.thumbhash.toList(), set.thumbhash.toList())
    }

    case("placeholder_video") { folder ->
        val placeholder = generatePlaceholder(PlaceholderRequest(file("scene.mp4"), MediaKind.VIDEO))
        equal(placeholder.blurhash.length, 28)
        val set = generateThumbnailSet(video("scene.mp4", folder))
        equal(placeholder.blurhash, set.blurhash)
        equal(placeholder.thumbhash.toList(), set.thumbhash.toList())
        val size = set.source.widthPx to set.source.heightPx
        equal(placeholder.widthPx to placeholder.heightPx, size)
    }

    case("placeholder_painted") {
        val placeholder = generatePlaceholder(PlaceholderRequest(file("photo.jpg"), MediaKind.IMAGE))
        val (scheme, data) = paintPlaceholder(placeholder.thumbhash).split(",", limit = 2)
        equal(scheme, "data:image/png;base64")
        val png = ByteBuffer.wrap(Base64.getDecoder().decode(data))
        equal(png.getLong(0).toULong(), 0x89504e470d0a1a0au)
        val (width, height) = png.getInt(16) to png.getInt(20)
        true_(width in 1..32 && height in 1..32) { "$width x $height" }
    }

    case("placeholder_bad") {
        for (none in listOf(ByteArray(0), ByteArray(1), ByteArray(4) { -1 }, ByteArray(100))) {
            failsNow("INVALID_ARGUMENT") { paintPlaceholder(none) }
        }
    }
}

/** The failure of a call that answers at once. */
fun failsNow(code: String, call: () -> Any?) {
    val answer = try {
        call()
    } catch (failure: Failure.Failed) {
        shaped(failure)
        equal(failure.code, code)
        return
    }
    throw AssertionError("it did not fail: $answer")
}
