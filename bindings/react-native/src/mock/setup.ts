/** For jest's `setupFiles`: puts the fake in the place of the generated module, in every test. */
jest.mock('../native', () => require('./fake') as object);
