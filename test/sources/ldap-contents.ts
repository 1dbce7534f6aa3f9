import { writeFileSync } from 'node:fs';
import { type Directory, SUFFIX } from '../services/ldap.ts';

const base64 = (bytes: string | Buffer): string => Buffer.from(bytes).toString('base64');
export const TOP = `dn: ${SUFFIX}
objectClass: dcObject
objectClass: organization
dc: home
o: Home

`;

/** A photo of any bytes. */
export const PHOTO = Buffer.from(Array.from({ length: 60_000 }, (_, at) => (at * 7919) % 256));

const person = (rdn: string, ...more: readonly string[]): string =>
  [`dn: ${rdn},${SUFFIX}`, 'objectClass: inetOrgPerson', 'sn: x', ...more, '', ''].join('\n');

/** Names with commas, unicode, quotes and spaces; values of any bytes, long ones, those that begin with a space, a colon
 *  or `<`, an empty one, options, several of one attribute. 10 entries. */
export const HOSTILE = [
  TOP,
  person('cn=Doe\\, John', 'cn: Doe, John', `jpegPhoto:: ${base64(PHOTO)}`, `jpegPhoto:: ${base64(PHOTO.subarray(1))}`),
  `dn:: ${base64(`cn=Größe 日本 😀,${SUFFIX}`)}\nobjectClass: inetOrgPerson\ncn:: ${base64('Größe 日本 😀')}\nsn: x\n\n`,
  person('cn=quo\\"te\\+plus\\;semi\\\\back\\<less', 'cn: quo"te+plus;semi\\back<less'),
  person('cn=\\20leading space', `cn:: ${base64(' leading space')}`, `description:: ${base64('  begins with spaces')}`),
  person('cn=\\#hash', 'cn: #hash', `description:: ${base64(': colon')}`, `description:: ${base64('< less')}`),
  person(
    'cn=ends',
    'cn: ends',
    `description:: ${base64('ends with a space ')}`,
    `description:: ${base64('a\r\n\tb\0')}`,
  ),
  person(
    'cn=long',
    'cn: long',
    `description: ${'word '.repeat(400)}end`,
    'description;lang-de: kurz',
    `street: ${'z'.repeat(5000)}`,
  ),
  person('cn=secret', 'cn: secret', `userPassword:: ${base64('{SSHA}äöü')}`),
  person('cn=a b  c', 'cn: a b  c', 'description: dn: cn=not an entry', 'description: objectClass'),
].join('');

/** As a configuration of ours has them, and as cn=config does: with other spaces, letters and escapes. `top`: the value by
 *  which the entry itself is named. */
export const SUFFIXES = [
  { suffix: 'o=Soup\\, Bread & Co,c=DE', stored: 'o=Soup\\2C Bread & Co,c=DE', top: 'Soup, Bread & Co' },
  { suffix: 'O=Größe \\22日本\\", c=de', stored: 'o=Größe \\"日本\\",c=DE', top: 'Größe "日本"' },
  { suffix: 'o=two  words \\2B one', stored: 'o=two words \\+ one', top: 'two words + one' },
] as const;

/** The entry of a suffix and one below it, whose name is `childOf`. */
export async function fillBelow({ folder, config, tool }: Directory, suffix: string, top: string): Promise<void> {
  const ldif = `dn:: ${base64(suffix)}
objectClass: organization
o:: ${base64(top)}

dn:: ${base64(childOf(suffix))}
objectClass: organizationalUnit
ou: a, b
`;
  writeFileSync(`${folder}/below.ldif`, ldif);
  await tool('slapadd', '-F', config, '-b', suffix, '-l', `${folder}/below.ldif`);
}

export const childOf = (suffix: string): string => `ou=a\\, b,${suffix}`;
