import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseFindLine, parseTarLine, recordSplitter } from '../../src/adapters/sources/tree/parse.ts';

describe('what tar says', () => {
  const lines: readonly [string, string, string][] = [
    ['tar: opt/a: File removed before we read it', 'gone', '/opt/a'],
    ['tar: opt/a: Cannot stat: No such file or directory', 'gone', '/opt/a'],
    ['tar: opt/a\\nb: Cannot open: Not a directory', 'gone', '/opt/a\\x0ab'],
    ['tar: opt/a: b: file changed as we read it', 'changed', '/opt/a: b'],
    ['tar: opt/a: File shrank by 1 byte; padding with zeros', 'changed', '/opt/a'],
    ['tar: opt/\\303\\251: Cannot open: Permission denied', 'unreadable', '/opt/é'],
    ['tar: opt/\\377: Cannot stat: File name too long', 'unreadable', '/opt/\\xff'],
    ['tar: opt/a: Read error at byte 0, while reading 512 bytes: Input/output error', 'unreadable', '/opt/a'],
    ['tar: opt/a: Warning: Cannot flistxattr: Operation not supported', 'note', '/opt/a'],
    ['tar: opt/a: socket ignored', 'note', '/opt/a'],
    ['tar: Exiting with failure status due to previous errors', 'closing', ''],
    ['tar: -: Cannot write: Broken pipe', 'failure', ''],
    ['tar: Memory exhausted', 'failure', ''],
    ['Segmentation fault', 'failure', ''],
  ];
  test.each(lines)('%s', (line, what, name) => {
    expect(parseTarLine(line)).toMatchObject({ what, name });
  });
});

describe('what find says', () => {
  const lines: readonly [string, string, string][] = [
    ["find: '/opt/a': Permission denied", 'unreadable', '/opt/a'],
    ["find: '/opt/it\\'s\\n\\303\\251': No such file or directory", 'gone', "/opt/it's\\x0aé"],
    ["find: '/opt/a': Input/output error", 'unreadable', '/opt/a'],
    ["find: File system loop detected; '/a' is part of the same loop", 'failure', ''],
  ];
  test.each(lines)('%s', (line, what, name) => {
    expect(parseFindLine(line)).toMatchObject({ what, name });
  });
});

describe('records of find', () => {
  const name = fc.uint8Array({ minLength: 1, maxLength: 40, min: 1 });
  const bytesOf = (path: Uint8Array): Buffer =>
    Buffer.concat([Buffer.from('8 2 1 2049 f 512 644 0 0 77 1.5 2.5 /'), path, Buffer.from('\0target\0')]);

  test('are the same however the bytes are cut', () => {
    const property = fc.property(fc.array(name), fc.array(fc.nat(60)), (paths, cuts) => {
      const whole = Buffer.concat(paths.map(bytesOf));
      const splitter = recordSplitter();
      const found: string[] = [];
      let at = 0;
      for (const cut of [...cuts, whole.length]) {
        const chunk = Buffer.from(whole.subarray(at, at + cut));
        for (const { path, size, type, allocated, links, depth } of splitter.write(chunk)) {
          expect({ size, type, allocated, links, depth }).toEqual({
            size: 512,
            type: 'f',
            allocated: 4096,
            links: 2,
            depth: 1,
          });
          found.push(path.toString('latin1'));
        }
        chunk.fill(0xee); // a producer may use its memory again
        at += cut;
      }
      splitter.end();
      expect(found).toEqual(paths.map((path) => `/${Buffer.from(path).toString('latin1')}`));
    });
    fc.assert(property);
  });

  test('that end in the middle are an error', () => {
    const splitter = recordSplitter();
    expect([...splitter.write(bytesOf(Buffer.from('a')).subarray(0, -1))]).toEqual([]);
    expect(() => splitter.end()).toThrow('middle of a name');
  });
});
