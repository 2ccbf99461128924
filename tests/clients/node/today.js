// The article's application with the packages that replaced those it names: moesif-nodejs,
// express-jwt 8 (algorithms must be named, claims are in `req.auth`) and Express 5.
// IDENTIFY=article keeps the article's functions, which find neither user nor token;
// IDENTIFY=right finds both.
const express = require('express5');
const { expressjwt: jwt } = require('express-jwt8');
const moesif = require('moesif-nodejs');
const app = express();

const identification = {
  article: {
    identifyUser: (req) => (req.user ? req.user.id : undefined),
    getSessionToken: (req) => req.headers['Authorization'],
  },
  right: {
    identifyUser: (req) => (req.auth ? req.auth.sub : undefined),
    getSessionToken: (req) => req.headers['authorization'],
  },
}[process.env.IDENTIFY];

const moesifMiddleware = moesif({
  applicationId: process.env.MOESIF_APPLICATION_ID,
  baseUri: process.env.MOESIF_BASE_URI,
  callback: (err) => {
    if (err) console.error('moesif-nodejs error', err);
  },
  identifyCompany: (req) => {
    const extracted = req.path.match(/accounts\/\d+[\/-]/);
    return extracted && extracted[0];
  },
  ...identification,
});

app.use(jwt({ secret: Buffer.from('my_super_secret'), algorithms: ['HS256'] }));
app.use(moesifMiddleware);

app.get('/accounts/:id/message', (req, res) => {
  res.json({ my_object: { my_message: 'Hello World!' } });
});

app.use((err, req, res, next) => res.status(err.status || 500).json({ message: err.message }));

const listener = app.listen(0, '127.0.0.1', () =>
  console.log(`API listening at http://127.0.0.1:${listener.address().port}`)
);
