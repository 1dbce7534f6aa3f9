/** slapcat 2.5, `what` being a suffix or the number 0 of cn=config. Its own folder of cn=config when none is named. */
export const dump = (config: string | undefined, what: { readonly suffix: string } | 'configuration'): string[] => [
  ...(config === undefined ? [] : ['-F', config]),
  ...(what === 'configuration' ? ['-n', '0'] : ['-b', what.suffix]),
];

/** slapadd 2.5, from stdin. `quick`: what was dumped was whole, and what a failure leaves is thrown away. */
export const add = (config: string, what: { readonly suffix: string } | 'configuration'): string[] => [
  ...['-F', config],
  ...(what === 'configuration' ? ['-n', '0'] : ['-q', '-b', what.suffix]),
];
