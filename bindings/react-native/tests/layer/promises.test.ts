/** Every promise has one place, and a test that names it. */
import fs from 'node:fs';
import path from 'node:path';

const root = path.join(__dirname, '..', '..');

function texts(folder: string, ends: RegExp): string[] {
  return (fs.readdirSync(path.join(root, folder), { recursive: true }) as string[])
    .filter((name) => ends.test(name) && !name.includes('generated') && !name.includes('.made'))
    .map((name) => fs.readFileSync(path.join(root, folder, name), 'utf8'));
}

const heads = texts('src', /\.tsx?$/).join('\n');
const promised = [...heads.matchAll(/^ \* - \*\*(J\d+)\*\*/gm)].map(([, id]) => id!);
const named = new Set(
  texts('tests', /\.test\.tsx?$/).flatMap((text) =>
    [...text.matchAll(/['"`]((?:J\d+ )+)/g)].flatMap(([, ids]) => ids!.trim().split(' ')),
  ),
);

test('promises are numbered from J1 on, each once', () => {
  expect(promised.map((id) => Number(id.slice(1))).sort((a, b) => a - b)).toEqual(promised.map((_, at) => at + 1));
});

test('each promise is named by a test', () => {
  expect(promised.filter((id) => !named.has(id))).toEqual([]);
});

test('each name that a test gives is a promise', () => {
  expect([...named].filter((id) => !promised.includes(id))).toEqual([]);
});

test('the generated module is imported in one file', () => {
  const importing = (fs.readdirSync(path.join(root, 'src'), { recursive: true }) as string[])
    .filter((name) => /\.tsx?$/.test(name) && !name.startsWith('generated'))
    .filter((name) => /from '[^']*generated/.test(fs.readFileSync(path.join(root, 'src', name), 'utf8')));
  expect(importing).toEqual(['native.ts']);
});

test('the README names every code that is made here', () => {
  const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8');
  const sources = texts('src', /\.tsx?$/).filter((text) => !text.includes('mock')).join('\n');
  const codes = [...sources.matchAll(/(?:FinalmileError\(|step\(|failed\(|asFinalmileError\(thrown, )\s*'([A-Z_]+)'/g)].map(([, code]) => code!);
  expect(codes.length).toBeGreaterThan(20);
  expect([...new Set(codes)].filter((code) => !readme.includes(`\`${code}\``))).toEqual([]);
});
