// Drives a Stripe sandbox on this machine with Stripe's own client: node drive.mjs PORT. Prints what
// came of it as one JSON object. Whom to believe is NODE_EXTRA_CA_CERTS's part.
import Stripe from 'stripe';

const port = Number(process.argv[2]);
const connect = (key, retries = 0) => new Stripe(key, {
  host: 'localhost', port, protocol: 'https', maxNetworkRetries: retries, telemetry: false,
});
const stripe = connect('sk_test_sdk');
const report = {};

const card = {number: '4242424242424242', exp_month: 12, exp_year: 2030, cvc: '123'};

// A card attached to a new customer, as parameters of a payment.
async function stored(number) {
  const customer = await stripe.customers.create({name: 'Jenny Rosen', metadata: {order: '1'}});
  const method = await stripe.paymentMethods.create({
    type: 'card', card: {...card, number}, billing_details: {name: 'Jenny Rosen & Co.'},
  });
  await stripe.paymentMethods.attach(method.id, {customer: customer.id});
  return {customer: customer.id, payment_method: method.id};
}

const sale = {
  amount: 1099, currency: 'usd', confirm: true,
  automatic_payment_methods: {enabled: true, allow_redirects: 'never'},
};

async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('it should have failed');
}

const visa = await stored(card.number);
const method = await stripe.paymentMethods.retrieve(visa.payment_method);
report.stored = {brand: method.card.brand, last4: method.card.last4};

const sold = await stripe.paymentIntents.create({...sale, ...visa, metadata: {reference: 'sdk é'}});
report.sale = sold.status;

const held = await stripe.paymentIntents.create({...sale, ...visa, capture_method: 'manual'});
report.authorized = held.status;
const captured = await stripe.paymentIntents.capture(
  held.id, {amount_to_capture: 500, expand: ['latest_charge']});
report.captured = {
  status: captured.status, received: captured.amount_received,
  charged: captured.latest_charge.amount_captured,
};

const other = await stripe.paymentIntents.create({
  amount: 1099, currency: 'usd', capture_method: 'manual', payment_method_types: ['card'], ...visa,
});
await stripe.paymentIntents.confirm(other.id, {off_session: true});
report.canceled = (await stripe.paymentIntents.cancel(other.id)).status;

const refund = await stripe.refunds.create({payment_intent: held.id, amount: 200});
const again = await stripe.refunds.retrieve(refund.id);
const list = await stripe.refunds.list({payment_intent: held.id, limit: 3});
const own = list.data.filter((one) => one.id === refund.id);
report.refunded = {status: again.status, amount: again.amount, listed: own.length};

const found = await stripe.paymentIntents.search({
  query: "metadata['reference']:'sdk é'", expand: ['data.latest_charge'],
});
const shown = await stripe.paymentIntents.retrieve(sold.id, {expand: ['latest_charge']});
report.found = found.data.length === 1 && found.data[0].id === sold.id &&
  shown.latest_charge.captured;

const declined = await failure(stripe.paymentIntents.create(
  {...sale, ...await stored('4000000000000341')}));
report.declined = {
  type: declined.type, status: declined.statusCode, code: declined.code,
  decline: declined.decline_code,
};

const invalid = await failure(stripe.paymentIntents.create({...sale, amout: 1}));
report.invalid = {type: invalid.type, param: invalid.param};
const missing = await failure(stripe.paymentIntents.retrieve('pi_missing'));
report.missing = {type: missing.type, status: missing.statusCode};

const key = {idempotencyKey: 'sdk-1'};
const first = await stripe.paymentIntents.create({...sale, ...visa}, key);
const second = await stripe.paymentIntents.create({...sale, ...visa}, key);
report.replayed = first.id === second.id &&
  second.lastResponse.headers['idempotent-replayed'] === 'true';
report.conflict = (await failure(
  stripe.paymentIntents.create({...sale, ...visa, amount: 1100}, key))).type;

report.unauthorized = (await failure(connect('sk_live_sdk').customers.create())).type;

// The client repeats by itself what a 503 did not let through.
await fetch(`https://localhost:${port}/_sim/faults`, {
  method: 'POST', headers: {'Content-Type': 'application/json'},
  body: JSON.stringify({path: '/v1/payment_intents', kind: '503', when: 'after_effect'}),
});
report.retried = (await connect('sk_test_sdk', 2).paymentIntents.create({...sale, ...visa})).status;

console.log(JSON.stringify(report));
// The client leaves the 503's body unread, and its connection would keep the process alive.
process.exit(0);
