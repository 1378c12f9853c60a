// Prints vectors.txt: the content ids that npm's ipfs-unixfs-importer gives to files and directories.
// See README.md beside this file.
import { importer } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { balanced } from 'ipfs-unixfs-importer/layout'

// Bytes without a period that a chunk could hide: every block of a file differs.
const MAX = 2 * 1024 * 262144 + 64
const all = new Uint8Array(Math.min(MAX, 48 << 20))
for (let i = 0; i < all.length; i++) {
  all[i] = (i * 31 + (i >>> 8) * 17 + (i >>> 16) * 7) & 255
}

const nowhere = { put: async cid => cid }

async function root (candidates, options) {
  let last
  for await (const entry of importer(candidates, nowhere, { ...options })) last = entry
  return last.cid.toString()
}

const pieces = length => (async function * () {
  for (let at = 0; at < length; at += 1 << 20) yield all.subarray(at, Math.min(length, at + (1 << 20)))
})()

async function file (name, options, length) {
  console.log('file', name, length, await root([{ content: pieces(length) }], options))
}

const custom = (chunk, width, rawLeaves, cidVersion) => ({
  chunker: fixedSize({ chunkSize: chunk }),
  layout: balanced({ maxChildrenPerNode: width }),
  rawLeaves,
  cidVersion,
  // As the profile of that version.
  shardSplitStrategy: cidVersion === 0 ? 'links-bytes' : 'block-bytes'
})

const V1 = { profile: 'unixfs-v1-2025' }
const V0 = { profile: 'unixfs-v0-2015' }
const MIB = 1 << 20
const around = (unit, counts) => counts.flatMap(n => [-1, 0, 1].map(d => n * unit + d)).filter(n => n >= 0)

for (const length of [...around(MIB, [1, 2, 3, 17]), 0, 1, 11]) await file('unixfs-v1-2025', V1, length)
for (const length of [...around(256 << 10, [1, 2, 4, 173, 174, 175, 180]), 0, 1, 11]) {
  await file('unixfs-v0-2015', V0, length)
}
// Every boundary of small trees: one chunk, a full node, a full level, and one more of each.
for (const [chunk, width] of [[1, 2], [4, 2], [5, 3], [7, 4], [16, 10]]) {
  for (const raw of [true, false]) {
    for (const version of [0, 1]) {
      const counts = [1, 2, width, width + 1, width ** 2, width ** 2 + 1, width ** 3, width ** 3 + width]
      const lengths = new Set([0, ...around(chunk, counts), 1000])
      for (const length of lengths) {
        const name = `${chunk}/${width}/${raw ? 'raw' : 'dag-pb'}/${version}`
        await file(name, custom(chunk, width, raw, version), length)
      }
    }
  }
}
// What other tools use, and the widest there is.
for (const [chunk, width, raw, version, lengths] of [
  [MIB, 174, true, 1, [MIB + 1, 30 * MIB]],
  [262144, 174, true, 1, [262145, 174 * 262144 + 1]],
  [262144, 174, false, 1, [262145, 174 * 262144 + 1]],
  [2096896, 1024, true, 1, [2096896, 2096897, 5000000]],
  [2096896, 1024, false, 0, [2096896, 2096897, 5000000]],
  [100, 8192, true, 1, [819200, 819201]],
  [1000, 1000, false, 0, [1000000, 1000001]]
]) {
  for (const length of lengths) {
    await file(`${chunk}/${width}/${raw ? 'raw' : 'dag-pb'}/${version}`, custom(chunk, width, raw, version), length)
  }
}

// Directories of files `0…`, their names padded to a width, each with as many bytes as its number
// has when divided by 300.
async function directory (name, options, count, width) {
  const entries = Array.from({ length: count }, (_, i) => ({
    path: `dir/${String(i).padStart(width, 'n')}`,
    content: all.slice(0, i % 300)
  }))
  const candidates = count === 0 ? [{ path: 'dir' }] : entries
  console.log('dir', name, count, width, await root(candidates, options))
}
for (const [name, options] of [
  ['unixfs-v1-2025', V1],
  ['unixfs-v0-2015', V0],
  ['16/10/raw/0', custom(16, 10, true, 0)],
  ['16/10/dag-pb/1', custom(16, 10, false, 1)]
]) {
  for (const [count, width] of [[0, 1], [1, 1], [2, 1], [11, 1], [300, 3], [3000, 8], [4000, 31], [6000, 40], [12000, 5]]) {
    await directory(name, options, count, width)
  }
}

// A tree: directories in directories, in several spellings.
for (const [name, options] of [['unixfs-v1-2025', V1], ['unixfs-v0-2015', V0]]) {
  const entries = ['a', 'b/c', 'b/d/e', 'b/d/é', 'Z/z', 'z', '10', '9'].map((path, i) => ({
    path: `dir/${path}`,
    content: all.slice(0, i)
  }))
  console.log('tree', name, await root(entries, options))
}

// A directory that holds a symbolic link.
for (const [name, options] of [['unixfs-v1-2025', V1], ['unixfs-v0-2015', V0]]) {
  const entries = [{ path: 'dir/link', link: 'b/c' }, { path: 'dir/b/c', content: all.slice(0, 5) }]
  console.log('link', name, await root(entries, options))
}
