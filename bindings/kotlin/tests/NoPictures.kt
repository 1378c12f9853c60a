/** Files that are no pictures. */
package dev.finalmile.tests

import dev.finalmile.Failure
import dev.finalmile.MediaKind
import dev.finalmile.ThumbnailRequest
import dev.finalmile.generateThumbnailSet
import java.io.File
import kotlinx.coroutines.withTimeout

/** It fails, and leaves nothing in its folder. */
private suspend fun isNoPicture(request: ThumbnailRequest, vararg codes: String): Failure.Failed {
    val failure = fails(*codes) { generateThumbnailSet(request) }
    equal(names(File(request.outDir)), listOf<String>())
    return failure
}

fun Suite.noPictures() {
    case("bad_directory") { isNoPicture(image("folder", it)) }

    case("bad_missing") { folder ->
        val missing = File(folder, "missing.jpg").path
        val request = ThumbnailRequest(missing, MediaKind.IMAGE, File(folder, "out").path)
        equal(isNoPicture(request, "FILE_UNREADABLE").retryable, false)
    }

    case("bad_unreadable") { isNoPicture(image("loop", it), "FILE_UNREADABLE") }

    case("bad_locked") { folder ->
        val locked = File(file("other.jpg")).copyTo(File(folder, "locked.jpg"))
        val holds = listOf("flock", "--exclusive", locked.path, "sh", "-c", "echo locked; cat")
        val other = ProcessBuilder(holds).start()
        try {
            equal(other.inputReader().readLine(), "locked")
            val probe = ProcessBuilder("flock", "--nonblock", locked.path, "true").start()
            true_(probe.waitFor() != 0) { "it is not locked" }
            val out = File(folder, "out").path
            val request = ThumbnailRequest(locked.path, MediaKind.IMAGE, out)
            try {
                equal(jpegSize(generateThumbnailSet(request).thumbnail.path), 300 to 300)
            } catch (failure: Failure.Failed) {
                shaped(failure)
            }
        } finally {
            other.outputStream.close()
            other.waitFor()
        }
    }

    case("bad_pipe") { folder ->
        for (request in listOf(image("pipe", folder), video("pipe", folder))) {
            withTimeout(5_000) { isNoPicture(request) }
        }
    }

    case("bad_empty") { isNoPicture(image("empty", it)) }

    case("bad_text") { isNoPicture(image("text.txt", it), "NOT_AN_IMAGE") }

    case("bad_video_as_image") { isNoPicture(image("scene.mp4", it)) }

    case("bad_image_as_video") { isNoPicture(video("photo.jpg", it)) }

    case("bad_cut_early") { isNoPicture(image("cut-early.jpg", it)) }

    case("bad_out_dir") { folder ->
        val taken = File(folder, "taken").also { it.writeText("a file") }
        fails { generateThumbnailSet(image("photo.jpg", taken)) }
        equal(taken.readText(), "a file")
    }

    case("bad_argument") { folder ->
        val right = image("photo.jpg", folder)
        val sides = listOf(right.copy(thumbnailSidePx = 0u), right.copy(previewSidePx = 0u))
        for (wrong in sides + right.copy(quality = 0u)) isNoPicture(wrong, "INVALID_ARGUMENT")
    }

    case("bad_path") { folder ->
        for (path in listOf("", "a\u0000b.jpg")) {
            for (kind in MediaKind.entries) {
                isNoPicture(ThumbnailRequest(path, kind, folder.path))
            }
        }
    }
}
