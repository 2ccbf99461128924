// Users, companies, subscriptions and actions, single and in batches, through moesif-nodejs.
const moesif = require('moesif-nodejs');

const client = moesif({
  applicationId: process.env.MOESIF_APPLICATION_ID,
  baseUri: process.env.MOESIF_BASE_URI,
});

const request = (path) => ({ uri: `https://shop.example.test${path}`, ipAddress: '203.0.113.9' });

async function main() {
  await client.updateUser({
    userId: 'alice', companyId: 'acme', metadata: { email: 'alice@example.test', plan: 'free' },
  });
  await client.updateUsersBatch([
    { userId: 'bob', companyId: 'acme', metadata: { plan: 'pro' } },
    { userId: 'carol', companyId: 'globex', metadata: { plan: 'pro' } },
  ]);
  await client.updateCompany({
    companyId: 'acme', companyDomain: 'acme.example.test', metadata: { tier: 'gold' },
    campaign: { utmSource: 'news' },
  });
  await client.updateCompaniesBatch([{ companyId: 'globex', metadata: { tier: 'silver' } }]);
  const subscription = (subscriptionId, companyId) => ({
    subscriptionId, companyId, status: 'active',
    currentPeriodStart: '2026-01-01T00:00:00.000Z', currentPeriodEnd: '2026-02-01T00:00:00.000Z',
  });
  await client.updateSubscription(subscription('sub_1', 'acme'));
  await client.updateSubscriptionsBatch([subscription('sub_2', 'globex')]);
  await client.sendAction({
    actionName: 'Clicked Sign Up', userId: 'alice', companyId: 'acme',
    metadata: { label: 'top' }, request: request('/pricing'), transactionId: 'a-1',
  });
  await client.sendActionsBatch([
    { actionName: 'Job done', userId: 'bob', companyId: 'acme', request: request('/job') },
    { actionName: 'Job done', userId: 'carol', companyId: 'globex', request: request('/job') },
  ]);
  console.log('done');
}

// The SDK keeps a timer of its own alive; a script that is through ends itself.
main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
