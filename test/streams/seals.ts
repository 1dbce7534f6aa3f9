import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret } from '../../src/domain/secret.ts';
import type { Sealing } from '../../src/domain/storage.ts';
import { anAgeKey } from '../services/age.ts';
import { available } from '../services/available.ts';
import { FORMATS, type Format, run } from './sample.ts';

/** A way to seal, and the stock program that takes the seal off. */
export interface Seal {
  readonly name: string;
  readonly sealing: Sealing | null;
  /** A sealing that does not open it. */
  readonly wrong: Sealing | null;
  readonly seekable: boolean;
  unseal(path: string): Buffer;
}

/** A key ring of its own for this test file; its agent is ended with it. */
export function aKeyRing(): Disposable {
  const home = mkdtempSync(join(tmpdir(), 'gnupg-'));
  const before = process.env.GNUPGHOME;
  process.env.GNUPGHOME = home;
  return {
    [Symbol.dispose]() {
      execFileSync('gpgconf', ['--homedir', home, '--kill', 'all']);
      if (before === undefined) delete process.env.GNUPGHOME;
      else process.env.GNUPGHOME = before;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

const unsealed: Seal = {
  name: 'not sealed',
  sealing: null,
  wrong: null,
  seekable: true,
  unseal: (path) => run('cat', [path]),
};

function withAge(folder: string): Seal {
  const [key, other] = [anAgeKey(), anAgeKey()];
  const identity = join(folder, 'age.key');
  writeFileSync(identity, key.identity.reveal(), { mode: 0o600 });
  return {
    name: 'age',
    sealing: { kind: 'age', recipients: [other.recipient, key.recipient], identities: [key.identity] },
    wrong: { kind: 'age', recipients: [], identities: [anAgeKey().identity] },
    seekable: true,
    unseal: (path) => run('age', ['--decrypt', '--identity', identity, path]),
  };
}

function withGpgKey(): Seal {
  const make = ['--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', ''];
  run('gpg', [...make, '--quick-generate-key', 'holdfast-test', 'rsa2048', 'encrypt', 'never']);
  return {
    name: 'gpg with a key',
    sealing: { kind: 'gpg', recipients: ['holdfast-test'] },
    wrong: null,
    seekable: false,
    unseal: (path) => run('gpg', ['--batch', '--quiet', '--decrypt', path]),
  };
}

const withPassphrase: Seal = {
  name: 'gpg with a passphrase',
  sealing: { kind: 'gpg-passphrase', passphrase: new Secret('correct horse') },
  wrong: { kind: 'gpg-passphrase', passphrase: new Secret('wrong horse') },
  seekable: false,
  unseal: (path) =>
    run(
      'gpg',
      [
        '--batch',
        '--quiet',
        '--pinentry-mode',
        'loopback',
        '--no-symkey-cache',
        '--passphrase-fd',
        '0',
        '--decrypt',
        path,
      ],
      Buffer.from('correct horse\n'),
    ),
};

/** Every way to seal whose program is here. `folder` gets the key file of age. */
function seals(folder: string): readonly Seal[] {
  const age = available('age') ? [withAge(folder)] : [];
  return [unsealed, ...age, ...(available('gpg') ? [withGpgKey(), withPassphrase] : [])];
}

/** Formats under seals: all of them where a file can be read in part; gpg, which takes a tenth of a second to start and
 *  sees only bytes, in one format each. */
export function packings(
  folder: string,
): readonly { readonly name: string; readonly seal: Seal; readonly format: Format }[] {
  const formatsOf = ({ seekable, sealing }: Seal): readonly Format[] =>
    seekable ? FORMATS : [sealing?.kind === 'gpg' ? 'zstd' : 'gzip'];
  return seals(folder).flatMap((seal) =>
    formatsOf(seal).map((format) => ({ name: `${format}, ${seal.name}`, seal, format })),
  );
}
