import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { aMachine, isSame, type Machine, tool } from './holdfast.ts';

interface Seal {
  readonly tool: string;
  /** The repository's `encryption`, its key made in the machine's folder; empty for none. */
  readonly encryption: (machine: Machine) => string;
  /** What opens it where there is no configuration. */
  readonly keys: (machine: Machine) => readonly string[];
}

const SEALS: readonly Seal[] = [
  { tool: 'tar', encryption: () => '', keys: () => [] },
  {
    tool: 'age',
    encryption: (machine) => {
      const key = tool('age-keygen');
      writeFileSync(machine.path('age.key'), key, { mode: 0o600 });
      return `encryption: { age: { recipients: [${/age1\S+/.exec(key)?.[0]}], identities: [{ file: ./age.key }] } }`;
    },
    keys: (machine) => ['--identity', machine.path('age.key')],
  },
  {
    tool: 'gpg',
    encryption: (machine) => {
      writeFileSync(machine.path('passphrase'), 'correct horse\n', { mode: 0o600 });
      return 'encryption: { gpg: { passphrase: { file: ./passphrase } } }';
    },
    keys: (machine) => ['--passphrase-file', machine.path('passphrase')],
  },
];

describe.each(SEALS)('a repository sealed with $tool or not at all, on a machine without a configuration', (seal) => {
  test.runIf(available(seal.tool)).each(['folder', 'single'])(
    'is listed, shown, looked into, printed, proved and restored by its %s alone',
    (layout) => {
      const machine = aMachine();
      machine.write('data/recipe', 'soup\n');
      machine.write('data/inner/other', 'bread\n');
      machine.configure(`repositories:
  disk: { engine: archive, path: ./disk, layout: ${layout}${seal.encryption(machine).replace(/^(?=.)/, ', ')} }
services: { files: { sources: { data: { files: [./data] } } } }
`);
      machine.passes('repository', 'init', 'disk');
      machine.passes('backup');
      rmSync(machine.configuration);
      rmSync(machine.path('state'), { recursive: true });
      writeFileSync(machine.path('state'), 'a rescue system, whose disk takes no folder');
      const location = ['--repository', machine.path('disk')];
      const there = [...location, ...seal.keys(machine)];

      const [{ id, service }, ...more] = machine.json(0, 'list', ...there).points;
      expect(machine.json(0, 'list', ...location).points).toHaveLength(1); // names, sizes and times need no key
      expect([service, more]).toEqual(['files', []]);
      const { manifest } = machine.json(0, 'show', 'files', ...there);
      expect(manifest.configuration.services.files.sources.data.files).toEqual([machine.path('data')]);
      const names = machine.json(0, 'ls', id, ...there).entries.map(({ path }: { path: string }) => path);
      const recipe = names.find((name: string) => name.endsWith('/recipe'));
      expect(machine.passes('cat', 'files', 'files_data', recipe, ...there)).toBe('soup\n');
      const back = ['restore', 'files', ...there, '--to', machine.path('to')];
      const hint = expect.stringContaining('STATE_DIRECTORY'); // what makes folders writes down its steps
      expect(machine.json(1, ...back)).toMatchObject({ error: { code: 'StateUnusable', hint } });
      const environment = { STATE_DIRECTORY: machine.path('elsewhere') };
      const inside = machine.run([...back.slice(0, -1), machine.path('disk/files/restored')], { environment });
      expect(inside).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('belongs to Holdfast itself') });
      for (const words of [['verify', 'files', ...there], back])
        expect(machine.run(words, { environment })).toMatchObject({ exitCode: 0 });
      const restored = tool('find', machine.path('to'), '-name', 'recipe')
        .trim()
        .replace(/\/recipe$/, '');
      expect(isSame(restored, machine.path('data'))).toBe(true);
      expect(readdirSync(machine.folder).filter((name) => name.startsWith('.holdfast'))).toEqual([]);
    },
  );
});
