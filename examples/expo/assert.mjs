// What `check` asserts of the files that its steps made.
//
// Usage: node assert.mjs STEP FILE...
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What the package may weigh without binaries, in bytes. */
const LARGEST = 150_000;

const NAME = 'react-native-finalmile';

const steps = {
  /** Its size, and its files. */
  tarball(path) {
    const size = statSync(path).size;
    assert.ok(size <= LARGEST, `${size} bytes are more than ${LARGEST}`);

    const listed = execFileSync('tar', ['-tzf', path], { encoding: 'utf8' });
    const files = listed.trim().split('\n').map((file) => file.replace(/^package\//, ''));
    const generated = [
      'lib/generated/finalmile.js',
      'lib/generated/finalmile.d.ts',
      'src/generated/NativeFinalmile.ts',
      'cpp/generated/finalmile.cpp',
      'cpp/generated/react-native-finalmile.cpp',
      'cpp/ubrn/UniffiCallInvoker.h',
      'cpp/ubrn/LICENSE',
      'android/cpp-adapter.cpp',
      'android/src/main/java/dev/finalmile/reactnative/FinalmilePackage.kt',
      'ios/Finalmile.mm',
      'lib/index.js',
      'lib/index.d.ts',
    ];
    const written = [
      'android/CMakeLists.txt',
      'android/build.gradle',
      'ios/PrivacyInfo.xcprivacy',
      'react-native-finalmile.podspec',
      'react-native.config.js',
      'README.md',
      'package.json',
    ];
    for (const file of [...generated, ...written]) {
      assert.ok(files.includes(file), `${file} is not in the tarball`);
    }
    const kinds = /\.(ts|tsx|js|map|json|md|cpp|hpp|h|mm|kt|gradle|txt|xml|xcprivacy|podspec)$|(^|\/)LICENSE[^/]*$/;
    const others = files.filter((file) => !kinds.test(file) || /\b(node_modules|tests|glue)\//.test(file));
    assert.deepEqual(others, [], 'files that do not belong into the tarball');

    const { dependencies = {} } = packageOf(NAME);
    const needed = new Set();
    collect(dependencies, needed);
    console.log(`${size} bytes, ${files.length} files, ${needed.size} npm dependency: ${[...needed].join(', ')}`);
  },

  /** Hermes's bytecode with the package inside. */
  bundle(folder) {
    const { fileMetadata } = JSON.parse(readFileSync(join(folder, 'metadata.json'), 'utf8'));
    for (const platform of ['android', 'ios']) {
      const path = join(folder, fileMetadata[platform].bundle);
      const bytes = readFileSync(path);
      assert.equal(bytes.readBigUInt64LE(0), 0x1f1903c103bc1fc6n, 'this is no bytecode of Hermes');
      for (const name of ['installRustCrate', 'generateThumbnailSet', 'expo-file-system']) {
        assert.ok(bytes.includes(name), `${name} is not in the bundle for ${platform}`);
      }
      console.log(`${platform}: ${bytes.length} bytes of bytecode`);
    }
  },

  /** The package is linked on both platforms, without a word in app.json. */
  autolink(android, ios) {
    const on = (path) => {
      const found = JSON.parse(readFileSync(path, 'utf8')).dependencies[NAME];
      assert.ok(found, `${path} has no ${NAME}`);
      return found;
    };
    const { root, platforms } = on(android);
    const sourceDir = join(root, 'android');
    assert.deepEqual(
      {
        sourceDir: platforms.android.sourceDir,
        libraryName: platforms.android.libraryName,
        packageImportPath: platforms.android.packageImportPath,
        packageInstance: platforms.android.packageInstance,
        cmakeListsPath: platforms.android.cmakeListsPath,
      },
      {
        sourceDir,
        libraryName: 'FinalmileSpec',
        packageImportPath: 'import dev.finalmile.reactnative.FinalmilePackage;',
        packageInstance: 'new FinalmilePackage()',
        cmakeListsPath: join(sourceDir, 'build/generated/source/codegen/jni/CMakeLists.txt'),
      },
    );
    const podspec = on(ios).platforms.ios.podspecPath;
    assert.equal(podspec, join(root, 'react-native-finalmile.podspec'));
    assert.ok(existsSync(podspec));

    const { codegenConfig } = packageOf(NAME);
    assert.ok(existsSync(join(root, codegenConfig.jsSrcsDir, 'NativeFinalmile.ts')), 'codegen finds no specification');
    const { expo } = JSON.parse(readFileSync('app.json', 'utf8'));
    assert.ok(!JSON.stringify(expo.plugins).includes('finalmile'), 'a config plugin is not needed');
    console.log(`linked as ${platforms.android.libraryName} on Android, by ${NAME}.podspec on iOS`);
  },

  /** Both native projects. */
  prebuild(app) {
    const read = (...path) => readFileSync(join(app, ...path), 'utf8');
    assert.match(read('android', 'settings.gradle'), /expoAutolinking\.rnConfigCommand/);
    assert.match(read('android', 'app', 'build.gradle'), /autolinkLibrariesWithApp\(\)/);
    assert.match(read('android', 'gradle.properties'), /^newArchEnabled=true$/m);
    assert.match(read('android', 'app', 'src', 'main', 'AndroidManifest.xml'), /<manifest/);
    assert.match(read('android', 'app', 'build.gradle'), /namespace 'dev\.finalmile\.example'/);

    const podfile = read('ios', 'Podfile');
    assert.match(podfile, /use_native_modules!\(config_command\)/);
    const [, minimum] = /platform :ios, .*'([0-9.]+)'/.exec(podfile) ?? [];
    assert.ok(Number(minimum) >= 15.1, `iOS ${minimum} is less than what the library is built for`);
    const project = readdirSync(join(app, 'ios')).find((name) => name.endsWith('.xcodeproj'));
    assert.ok(project, 'there is no Xcode project');
    const plist = read('ios', project.replace('.xcodeproj', ''), 'Info.plist');
    assert.match(plist, /NSPhotoLibraryUsageDescription/);
    console.log(`both projects are written; iOS ${minimum} at least`);
  },
};

function packageOf(name) {
  return JSON.parse(readFileSync(join('node_modules', name, 'package.json'), 'utf8'));
}

/** The packages that these need, and those that they need in turn. */
function collect(dependencies, into) {
  for (const name of Object.keys(dependencies)) {
    if (!into.has(name)) {
      into.add(name);
      collect(packageOf(name).dependencies ?? {}, into);
    }
  }
}

const [step, ...files] = process.argv.slice(2);
steps[step](...files);
