import { validatorContract } from './contracts/validator.ts';
import { memoryValidator } from './fakes/validator.ts';

validatorContract('in memory', async () => {
  const validator = memoryValidator();
  return {
    validator,
    bad: 'failed',
    makeGood: async () => {
      validator.now = 'good';
    },
    makeBad: async () => {
      validator.now = 'bad';
    },
    blind: async () => {
      validator.now = 'unseen';
    },
    witness: async () => validator.now,
    [Symbol.asyncDispose]: async () => {},
  };
});
