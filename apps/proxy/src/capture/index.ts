export { captureMain } from './capture-main.ts';
