'use strict'

const flash = require('connect-flash')
const express = require('express')
const expressMessages = require('express-messages')
const session = require('express-session')
const PgSession = require('connect-pg-simple')(session)
const { Pool } = require('pg')

const { DATABASE_URL, SESSION_SECRET, PORT = 3000 } = process.env

const pool = new Pool({ connectionString: DATABASE_URL })
pool.on('error', console.error)

const app = express()
app.set('view engine', 'ejs')
app.set('views', `${__dirname}/views`)

app.get('/healthz', (req, res) => {
  res.type('text').send('ok')
})

app.use(
  session({
    store: new PgSession({ pool, createTableIfMissing: true }),
    secret: SESSION_SECRET,
    resave: false,
    saveUninitialized: false,
    name: 'sessionId',
  }),
)
app.use(flash())
app.use((req, res, next) => {
  res.locals.messages = expressMessages(req, res)
  next()
})
app.use(express.urlencoded({ extended: false }))

app.get('/', (req, res) => {
  res.render('index')
})

app.post('/messages', (req, res) => {
  const { level, text } = req.body
  req.flash(level, text)
  res.redirect('/')
})

app.listen(PORT, '127.0.0.1')
