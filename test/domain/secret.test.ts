import { inspect } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { maskSecrets, registerSecret, Secret } from '../../src/domain/secret.ts';

test('a secret prints as asterisks, whatever prints it', () => {
  const secret = new Secret('opensesame-1');
  expect(`${secret} ${JSON.stringify({ secret })} ${inspect(secret)} ${String(secret)}`).not.toContain('opensesame');
  expect(secret.reveal()).toBe('opensesame-1');
});

test('a value is masked from the moment it becomes a secret, in every form in which programs print it', () => {
  const value = 'p"ss wörd/2';
  const shown = `raw ${value}, url ${encodeURIComponent(value)}, json ${JSON.stringify(value)}`;
  expect(maskSecrets(shown)).toBe(shown);
  expect(new Secret(value).toString()).toBe('***');
  expect(maskSecrets(shown)).toBe('raw ***, url ***, json "***"');
});

test('each line of a key is masked, since programs print them one by one', () => {
  registerSecret('# created by hand\nAGE-SECRET-KEY-1QQQQ\n');
  expect(maskSecrets('cannot read "AGE-SECRET-KEY-1QQQQ"')).toBe('cannot read "***"');
});

test('a secret that contains another one is masked whole', () => {
  registerSecret('inner-77');
  registerSecret('outer-inner-77-outer');
  expect(maskSecrets('outer-inner-77-outer and inner-77')).toBe('*** and ***');
});

test('an empty secret masks nothing', () => {
  registerSecret('');
  registerSecret('\n');
  expect(maskSecrets('as it is\n')).toBe('as it is\n');
});

test('no secret survives in a text, wherever it stands', () => {
  // Upper-case letters only, so that no value is a part of the mask.
  const value = fc.stringMatching(/^[A-Z$&^.]{4,20}$/);
  const property = fc.property(value, fc.string(), fc.string(), (secret, before, after) => {
    registerSecret(secret);
    expect(maskSecrets(`${before}${secret}${after}`)).not.toContain(secret);
  });
  fc.assert(property);
});
