export { adviceOf } from './hints/advice-for.ts';
export { ADVICE_BY_CODE } from './hints/words.ts';
