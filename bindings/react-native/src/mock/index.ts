/** The controls of the fake module, for an app's own tests. */
export { mock, type FakeFailure } from './control';
