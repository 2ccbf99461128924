// The application of the article "How to Track Number of API Calls Made by Each Partner", as
// printed, with what it needs to run:
//  - the two listings joined in one file, `jwt` and `jwtMiddleware` told apart;
//  - `moesifMiddleware`, which the article uses but never makes;
//  - brackets closed; the port is free to choose; the collector is `MOESIF_BASE_URI`;
//  - `callback`, so that a failure of the SDK can be seen.
// express-jwt is of the versions that export a function and set `req.user`, as the article expects.
const express = require('express');
const jwt = require('express-jwt');
const moesifExpress = require('moesif-express');
const app = express();

// Add JSON Web Token Library for authentication
const jwtMiddleware = jwt({
  secret: Buffer.from('my_super_secret'),
});

const moesifOptions = {

  applicationId: process.env.MOESIF_APPLICATION_ID, // You should set your APPLICATION_ID as an environment variable

  baseUri: process.env.MOESIF_BASE_URI,

  callback: (err) => {
    if (err) console.error('moesif-express error', err);
  },

  identifyUser: function (req, res) {
    // The subject of the JWT (i.e. the user_id) is automatically saved to req.user via JWT middleware
    if (req.user) {
      return req.user.id;
    }
    return undefined;
  },

  identifyCompany: function (req, res) {
    // Our company id is in the form of the URL via GET /accounts/1234/items
    const extracted = req.path.match(/accounts\/\d+[\/-]/);
    const companyId = extracted && extracted[0];
    return companyId;
  },

  getSessionToken: function (req, res) {
    return req.headers['Authorization'];
  }
};

const moesifMiddleware = moesifExpress(moesifOptions);

app.use(jwtMiddleware);
app.use(moesifMiddleware);

app.get('/accounts/:id/message', (req, res) => {
  res.json({
    my_object: {
      my_message: 'Hello World!'
    }
  });
});

// A caller without a token is refused by express-jwt; Express would print the refusal as an error.
app.use((err, req, res, next) => res.status(err.status || 500).json({ message: err.message }));

const listener = app.listen(0, '127.0.0.1', () =>
  console.log(`API listening at http://127.0.0.1:${listener.address().port}`)
);
