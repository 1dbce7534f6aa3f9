import { execFileSync } from 'node:child_process';
import { Secret } from '../../src/domain/secret.ts';

/** A new key of stock age: its recipient, and the text of its identity file. */
export function anAgeKey(): { readonly recipient: string; readonly identity: Secret } {
  const text = execFileSync('age-keygen', { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const [, recipient = ''] = /# public key: (age1\S+)/.exec(text) ?? [];
  return { recipient, identity: new Secret(text) };
}
