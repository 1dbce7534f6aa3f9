import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { aHouse, CONFIGURATION, type House } from './house.ts';

/** Everything that find, getfacl, getfattr, getcap and the files' blocks tell of a folder, as bytes. */
const IMAGE = `cd -- "$1" || exit 1
LC_ALL=C
export LC_ALL
find . -printf '%p\\0%y %m %U %G %s %n %l %T@\\0' | sort -z | tr '\\0' '\\n'
find . -print0 | sort -z | xargs -0 getfacl --absolute-names --numeric --
find . -print0 | sort -z | xargs -0 getfattr --absolute-names --no-dereference --dump --match=- --encoding=hex --
getcap -r . | sort
find . -type f -print0 | sort -z | xargs -0 sha256sum --
find . -type f -links +1 -printf '%i %p\\n' | sort | awk '{ if ($1 != last) group++; last = $1; $1 = group; print }' | sort -k 2
`;
const imageOf = (folder: string): string =>
  execFileSync('sh', ['-c', IMAGE, 'sh', folder], { encoding: 'latin1', maxBuffer: 2 ** 26, stdio: 'pipe' });

/** Made by the shell, because not every name is text. */
const TREE = `set -e
cd -- data
long=$(printf 'x%.0s' $(seq 255))
echo dash > ./-rf
echo option > './--checkpoint-action=exec=sh x'
echo change > ./-C
echo list > ./@list
echo lines > "$(printf 'two\\nlines')"
echo latin > "$(printf 'caf\\351')"
echo broken > "$(printf '\\377\\376 \\200')"
echo slash > 'back\\slash \\n \\xe9'
echo quotes > "\\"it's\\" \\$(touch never)"
echo stars > '* ? [a-z] {a,b}'
echo blank > ' '
echo emoji > 'söup 🍲'
echo controls > "$(printf 'bell\\a tab\\t escape\\033[31m')"
echo long > "$long"
mkdir -p "deep/$long/$long/$long/$long"
echo deep > "deep/$long/$long/$long/$long/$long"
mkdir ./--same-owner && echo inside > ./--same-owner/-
: > empty
mkdir hollow
truncate -s 50M sparse && printf data | dd of=sparse bs=1 seek=20000000 conv=notrunc status=none
echo linked > first && ln first -- -second && mkdir other && ln first other/third
ln -s first link && ln -s /nowhere/at/all dangling && ln -s "$(printf 'caf\\351')" 'to latin'
mkfifo fifo
setfacl -m u:777:r,g:778:rw first
setfacl -d -m u:779:rwx other
setfattr -n user.colour -v green first
setfattr -n user.bytes -v 0x00ff0a00 other
setfattr -n trusted.mark -v root empty
cp /bin/true capable && setcap cap_net_bind_service,cap_net_raw+ep capable
chmod 4755 capable; setcap cap_net_bind_service+ep capable
chmod 1777 hollow; chmod 0000 empty; chown 12345:54321 './@list'
touch -d '1969-07-20 20:17:40.123456789 UTC' -- -rf
touch -h -d '2001-02-03 04:05:06.7 UTC' dangling
touch -d '2000-01-01 00:00:00.987654321 UTC' other
`;

const REPOSITORIES = ['disk', 'tars', 'sealed'];
let house: House;
let folder = '';

/** Names below the folder, as bytes in latin1, each as a tar has it. */
function namesByFind(prefix: string): string[] {
  const found = execFileSync('find', [folder, '-mindepth', '1', '-printf', '%P\\0'], { encoding: 'latin1' });
  return found
    .split('\0')
    .filter((name) => name !== '')
    .map((name) => `${prefix}/${name}`)
    .toSorted();
}

const TOOLS = [
  'getfacl',
  'getfattr',
  'setfacl',
  'setfattr',
  'setcap',
  'getcap',
  'age',
  'age-keygen',
  'sqlite3',
  'zstd',
];
const root = process.getuid?.() === 0;
describe.runIf(root && TOOLS.every(available))('a tree of every kind of name and file', { timeout: 300_000 }, () => {
  beforeAll(() => {
    house = aHouse();
    folder = house.path('data');
    rmSync(folder, { recursive: true });
    house.tool('mkdir', folder);
    house.tool('sh', '-c', TREE);
    house.tool('age-keygen', '-o', 'age.key');
    const recipient = house.tool('age-keygen', '-y', 'age.key').trim();
    const sealed = `  sealed: { engine: archive, path: ./sealed, encryption: { age: { recipients: [${recipient}], identities: [{ file: ./age.key }] } } }\n`;
    house.configure(CONFIGURATION.replace('services:', `${sealed}services:`));
    for (const name of REPOSITORIES) house.passes('repository', 'init', name);
    house.passes('backup', 'mealie', ...REPOSITORIES.flatMap((name) => ['--repository', name]));
    house.passes('verify');
  });
  afterAll(() => house[Symbol.dispose]());

  test.each(REPOSITORIES)('comes back from %s as it was', (name) => {
    const before = imageOf(folder);
    expect(before).toMatch(/user:777:r[\s\S]*user.bytes=0x00ff0a00[\s\S]*capable cap_net_bind_service=ep/);
    const from = ['--repository', name];

    const inside = name === 'tars' ? 'backup/data' : folder.slice(1);
    interface Entry {
      readonly path: string;
      readonly bytes?: string;
    }
    const { entries } = JSON.parse(house.passes('ls', 'mealie', 'files_data', '--json', ...from)) as {
      entries: Entry[];
    };
    const listed = entries.map(({ path, bytes }) =>
      Buffer.from(bytes ?? path, bytes ? 'base64' : 'utf8').toString('latin1'),
    );
    const within = listed.map((path) => path.replace(/\/$/, '')).filter((path) => path.startsWith(`${inside}/`));
    expect(within.toSorted()).toEqual(namesByFind(inside));

    // each name that `ls` prints is a name that `cat` takes
    const printed = new Map(entries.map(({ path }, index) => [listed[index], path]));
    for (const [odd, content] of [
      ['-rf', 'dash'],
      ['--checkpoint-action=exec=sh x', 'option'],
      ['two\nlines', 'lines'],
      ['caf\xe9', 'latin'],
      ['\xff\xfe \x80', 'broken'],
      ['back\\slash \\n \\xe9', 'slash'],
      [' ', 'blank'],
      ['-second', 'linked'],
    ]) {
      const path = printed.get(`${inside}/${odd}`) ?? 'not listed';
      expect(house.passes('cat', 'mealie', 'files_data', path, ...from), JSON.stringify(odd)).toBe(`${content}\n`);
    }
    // what people read moves no cursor and has a line for each
    const shown = house.passes('ls', 'mealie', 'files_data', ...from);
    expect([...shown].filter((one) => one !== '\n' && (one < ' ' || one === '\x7f'))).toEqual([]);
    expect(shown.trimEnd().split('\n')).toHaveLength(entries.length);

    house.passes('restore', 'mealie', '--to', 'target', ...from);
    const restored = house.path('target', inside);
    expect(imageOf(restored)).toBe(before);
    expect(house.tool('diff', '-r', '--no-dereference', '--exclude=fifo', '--', folder, restored)).toBe('');
    expect(Number(house.tool('stat', '-c', '%b', `${restored}/sparse`))).toBeLessThan(1000);

    writeFileSync(house.path('data', 'first'), 'changed since');
    house.passes('restore', 'mealie', '--item', 'files_data', '--in-place', '--yes', ...from);
    expect(imageOf(folder)).toBe(before);
    rmSync(house.path('target'), { recursive: true });
  });
});
