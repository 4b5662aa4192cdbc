//! Whether a text is an expression of [CEL](https://github.com/google/cel-spec/blob/master/doc/langdef.md#syntax):
//! the syntax only, because that is all that Istio checks of a log filter before Envoy gets it.

use super::Check;

/// The nesting that the reference implementation allows.
const MAX_DEPTH: usize = 250;

pub(in super::super) fn check(expression: &str) -> Check {
    let mut parser = Parser { text: expression, at: 0, depth: 0 };
    parser.expression()?;
    match parser.peek()? {
        Token::End => Ok(()),
        _ => Err(parser.unexpected()),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Name,
    /// A number, a text, `true`, `false` or `null`.
    Literal,
    /// A sign or a pair of signs, and the word `in`.
    Sign(&'static str),
    End,
}

const SIGNS: [&str; 25] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", ",", ".", "(", ")", "[", "]",
    "{", "}", "=",
];
const BINARY: [&str; 14] = ["==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "in"];
const RESERVED: [&str; 17] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn unexpected(&self) -> String {
        let before = &self.text[..self.at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
        match self.text[self.at..].chars().next() {
            None => format!("ERROR: <input>:{line}:{}: Syntax error: unexpected end of input", column + 1),
            Some(next) => format!("ERROR: <input>:{line}:{}: Syntax error: unexpected '{next}'", column + 1),
        }
    }

    fn skip_space(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n', '\u{c}']);
            self.at += rest.len() - trimmed.len();
            if !trimmed.starts_with("//") {
                return;
            }
            self.at += trimmed.find('\n').unwrap_or(trimmed.len());
        }
    }

    fn peek(&mut self) -> Result<Token, String> {
        let at = self.at;
        let token = self.next();
        if token.is_ok() {
            self.at = at;
            self.skip_space();
        }
        token
    }

    fn next(&mut self) -> Result<Token, String> {
        self.skip_space();
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else { return Ok(Token::End) };
        if let Some(length) = text_length(rest) {
            let Ok(length) = length else { return Err(self.unexpected()) };
            self.at += length;
            return Ok(Token::Literal);
        }
        if first.is_ascii_digit() || (first == '.' && rest[1..].starts_with(|next: char| next.is_ascii_digit())) {
            self.at += number_length(rest);
            return Ok(Token::Literal);
        }
        if first == '_' || first.is_ascii_alphabetic() {
            let end = rest.find(|next: char| next != '_' && !next.is_ascii_alphanumeric()).unwrap_or(rest.len());
            self.at += end;
            return Ok(match &rest[..end] {
                "true" | "false" | "null" => Token::Literal,
                "in" => Token::Sign("in"),
                _ => Token::Name,
            });
        }
        match SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            Some(sign) => {
                self.at += sign.len();
                Ok(Token::Sign(sign))
            }
            None => Err(self.unexpected()),
        }
    }

    fn take(&mut self, sign: &'static str) -> Result<bool, String> {
        if self.peek()? != Token::Sign(sign) {
            return Ok(false);
        }
        self.next()?;
        Ok(true)
    }

    fn expect(&mut self, sign: &'static str) -> Check {
        if self.take(sign)? { Ok(()) } else { Err(self.unexpected()) }
    }

    fn expression(&mut self) -> Check {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("expression recursion limit exceeded: {MAX_DEPTH}"));
        }
        self.operations()?;
        if self.take("?")? {
            self.operations()?;
            self.expect(":")?;
            self.expression()?;
        }
        self.depth -= 1;
        Ok(())
    }

    /// Operands with operators between them. How strongly they bind does not matter to the syntax.
    fn operations(&mut self) -> Check {
        loop {
            self.operand()?;
            match self.peek()? {
                Token::Sign(sign) if BINARY.contains(&sign) => self.next()?,
                _ => return Ok(()),
            };
        }
    }

    fn operand(&mut self) -> Check {
        while self.take("!")? || self.take("-")? {}
        self.primary()?;
        loop {
            if self.take(".")? {
                self.take("?")?;
                if self.next()? != Token::Name {
                    return Err(self.unexpected());
                }
                if self.take("(")? {
                    self.list(")")?;
                }
            } else if self.take("[")? {
                self.take("?")?;
                self.expression()?;
                self.expect("]")?;
            } else if self.peek()? == Token::Sign("{") {
                self.next()?;
                self.entries()?;
            } else {
                return Ok(());
            }
        }
    }

    fn primary(&mut self) -> Check {
        self.skip_space();
        let start = self.at;
        match self.next()? {
            Token::Literal => Ok(()),
            Token::Sign(".") => match self.next()? {
                Token::Name => self.arguments(),
                _ => Err(self.unexpected()),
            },
            Token::Name => {
                let name = &self.text[start..self.at];
                if RESERVED.contains(&name) {
                    return Err(format!("ERROR: <input>:1:{}: reserved identifier: {name}", start + 1));
                }
                self.arguments()
            }
            Token::Sign("(") => {
                self.expression()?;
                self.expect(")")
            }
            Token::Sign("[") => self.list("]"),
            Token::Sign("{") => self.entries(),
            Token::Sign(_) | Token::End => {
                self.at = start;
                Err(self.unexpected())
            }
        }
    }

    fn arguments(&mut self) -> Check {
        if self.take("(")? { self.list(")") } else { Ok(()) }
    }

    fn list(&mut self, end: &'static str) -> Check {
        loop {
            if self.take(end)? {
                return Ok(());
            }
            self.take("?")?;
            self.expression()?;
            if !self.take(",")? {
                return self.expect(end);
            }
        }
    }

    /// The entries of a map or the fields of a message, after the brace.
    fn entries(&mut self) -> Check {
        loop {
            if self.take("}")? {
                return Ok(());
            }
            self.take("?")?;
            self.expression()?;
            self.expect(":")?;
            self.expression()?;
            if !self.take(",")? {
                return self.expect("}");
            }
        }
    }
}

/// The length of the text literal that begins here, if one begins; an error if it does not end.
fn text_length(rest: &str) -> Option<Result<usize, ()>> {
    let prefix = rest.bytes().take(2).take_while(|byte| b"rRbB".contains(byte)).count();
    let raw = rest[..prefix].contains(['r', 'R']);
    let body = &rest[prefix..];
    let quote = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quote| body.starts_with(quote))?;
    let mut at = quote.len();
    let bytes = body.as_bytes();
    while at < bytes.len() {
        if bytes[at] == b'\\' && !raw {
            at += 2;
        } else if bytes[at..].starts_with(quote.as_bytes()) {
            return Some(Ok(prefix + at + quote.len()));
        } else if bytes[at] == b'\n' && quote.len() == 1 {
            return Some(Err(()));
        } else {
            at += 1;
        }
    }
    Some(Err(()))
}

fn number_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if rest.starts_with("0x") || rest.starts_with("0X") {
        let hex = bytes[2..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        return 2 + hex + usize::from(bytes.get(2 + hex).is_some_and(|byte| b"uU".contains(byte)));
    }
    let mut at = digits(0);
    if bytes.get(at) == Some(&b'.') && digits(at + 1) > 0 {
        at += 1 + digits(at + 1);
    }
    if bytes.get(at).is_some_and(|byte| b"eE".contains(byte)) {
        let sign = usize::from(bytes.get(at + 1).is_some_and(|byte| b"+-".contains(byte)));
        if bytes.len() > at + 1 + sign && digits(at + 1 + sign) > 0 {
            at += 1 + sign + digits(at + 1 + sign);
        }
    }
    at + usize::from(bytes.get(at).is_some_and(|byte| b"uU".contains(byte)))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn expressions() {
        for expression in [
            "response.code >= 400 && (connection.mtls || request.url_path.contains('v1beta3'))",
            "has(request.headers['x']) ? 1u : -2.5e3",
            "[1, 2,].exists(x, x in {'a': 1})",
            "!(!true) // why not",
            "r'\\d' + \"\"\"a\n\"\"\"",
            "google.rpc.Status{code: 1}.code == 1",
            ".a.b",
        ] {
            assert_eq!(check(expression), Ok(()), "{expression}");
        }
    }

    #[test]
    fn no_expressions() {
        for expression in ["", ")++++", "a b", "a =", "'open", "a ? b", "for", "f(", "a.1", "@", "a == == b"] {
            assert!(check(expression).is_err(), "{expression}");
        }
        assert!(check(&"(".repeat(100_000)).is_err());
    }
}
