// Answers one line of JSON to each line of JSON: sharp at work on files, on one thread, uncached.
// A file is read before the clock starts. `make` renders the bench's photographs.
'use strict';
const fs = require('fs');
const sharp = require('sharp');
sharp.cache(false);
sharp.concurrency(1);

const read = new Map();
const bytesOf = (file) => {
  if (!read.has(file)) {
    read.clear();
    read.set(file, fs.readFileSync(file));
  }
  return read.get(file);
};

// The 600 once and the 300 from it, as pixels in between: the fairest way to use it.
const preview = (bytes) =>
  sharp(bytes).autoOrient().resize(600, 600, { fit: 'inside', withoutEnlargement: true })
    .raw().toBuffer({ resolveWithObject: true });
const thumbnail = (made, side) =>
  sharp(made.data, { raw: made.info }).resize(side, side, { fit: 'cover', withoutEnlargement: true });
const jpeg = { quality: 80, chromaSubsampling: '4:2:0', optimiseCoding: true };

const ops = {
  async versions() {
    return { sharp: sharp.versions.sharp, vips: sharp.versions.vips };
  },
  async set({ file }) {
    const bytes = bytesOf(file);
    const before = process.cpuUsage();
    const made = await preview(bytes);
    const side = Math.min(300, made.info.width, made.info.height);
    const one = await sharp(made.data, { raw: made.info }).jpeg(jpeg).toBuffer();
    const other = await thumbnail(made, side).jpeg(jpeg).toBuffer();
    const used = process.cpuUsage(before);
    return { micros: used.user + used.system, bytes: [one.length, other.length] };
  },
  // The pixels that would be encoded, three samples each.
  async pixels({ file, out }) {
    const made = await preview(bytesOf(file));
    fs.writeFileSync(out + '.600', made.data);
    fs.writeFileSync(out + '.300', await thumbnail(made, 300).raw().toBuffer());
    return { channels: made.info.channels };
  },
  // A photograph as a phone takes it: of that size, with grain, the encoder's plain settings.
  async make({ from, to, width, height, kind }) {
    const picture = sharp(from).resize(width, height, { fit: 'cover' }).removeAlpha();
    const { data, info } = await picture.toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
    let seed = 1;
    for (let at = 0; at < data.length; at += 3) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      const light = ((seed >>> 24) % 11) - 5, warm = ((seed >>> 16 & 255) % 5) - 2;
      data[at] = Math.max(0, Math.min(255, data[at] + light + warm));
      data[at + 1] = Math.max(0, Math.min(255, data[at + 1] + light));
      data[at + 2] = Math.max(0, Math.min(255, data[at + 2] + light - warm));
    }
    const grainy = sharp(data, { raw: info });
    const phone = { quality: 92, chromaSubsampling: '4:2:0', optimiseCoding: false };
    const encoded = {
      jpeg: () => grainy.jpeg(phone),
      progressive: () => grainy.jpeg({ ...phone, progressive: true }),
      png: () => grainy.png(),
      webp: () => grainy.webp({ quality: 85 }),
    }[kind]();
    await encoded.toFile(to);
    return {};
  },
};

const lines = require('readline').createInterface({ input: process.stdin });
(async () => {
  for await (const line of lines) {
    const asked = JSON.parse(line);
    try {
      console.log(JSON.stringify(await ops[asked.op](asked)));
    } catch (error) {
      console.log(JSON.stringify({ error: String(error) }));
    }
  }
})();
