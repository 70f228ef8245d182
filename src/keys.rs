//! Key pairs that are made here, and public keys that people hand in.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use x509_cert::Certificate;
use x509_cert::der::asn1::{ObjectIdentifier, UintRef};
use x509_cert::der::{self, Decode, Encode, Reader, SliceReader};
use x509_cert::spki::SubjectPublicKeyInfoOwned as PublicKeyInfo;
use zeroize::Zeroizing;

use crate::crd::KeyAlgorithm;
use crate::qlik::{Jwk, Secret};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// Bits of the smallest RSA key that Qlik takes.
const RSA_BITS: usize = 2048;
/// Bytes of a coordinate on P-384.
const COORDINATE: usize = 48;
/// Characters of a line of PEM.
const LINE: usize = 64;

/// A way to sign tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSA with SHA-256.
    Rs256,
    /// RSA with SHA-512.
    Rs512,
    /// ECDSA on P-384 with SHA-384.
    Es384,
}

impl From<KeyAlgorithm> for Algorithm {
    fn from(algorithm: KeyAlgorithm) -> Self {
        match algorithm {
            KeyAlgorithm::RS256 => Self::Rs256,
            KeyAlgorithm::RS512 => Self::Rs512,
            KeyAlgorithm::ES384 => Self::Es384,
        }
    }
}

impl Algorithm {
    /// The name in JWTs and JWKs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs512 => "RS512",
            Self::Es384 => "ES384",
        }
    }
}

/// The random source or the arithmetic of the crypto library failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no key pair could be made")]
pub struct Failed;

/// A key pair.
#[derive(Debug)]
pub struct KeyPair {
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The private key: PKCS#8 as PEM, with line breaks.
    pub private_pem: Secret,
    /// The public key.
    pub public: PublicKey,
}

/// Makes a key pair. For RSA this takes up to some seconds: not for a thread that others wait for.
pub fn generate(algorithm: Algorithm) -> Result<KeyPair, Failed> {
    let (private_pem, public) = match algorithm {
        Algorithm::Rs256 | Algorithm::Rs512 => {
            let pair = rsa::KeyPair::generate(KeySize::Rsa2048).map_err(|_| Failed)?;
            let private: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| Failed)?;
            (private_pem(private.as_ref()), pair.public_key().as_der())
        }
        Algorithm::Es384 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).map_err(|_| Failed)?;
            let private = pair.to_pkcs8v1().map_err(|_| Failed)?;
            (private_pem(private.as_ref()), pair.public_key().as_der())
        }
    };
    let public = PublicKeyInfo::from_der(public.map_err(|_| Failed)?.as_ref()).map_err(|_| Failed)?;
    Ok(KeyPair { algorithm, private_pem, public: PublicKey::of(&public).map_err(|_| Failed)? })
}

/// Writes a private key. Each buffer is made in its full size or wiped, so that no copy stays behind.
fn private_pem(der: &[u8]) -> Secret {
    let base64 = Zeroizing::new(STANDARD.encode(der));
    let mut pem = String::with_capacity(base64.len() + base64.len() / LINE + 64);
    pem.push_str("-----BEGIN PRIVATE KEY-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, others) = rest.split_at(rest.len().min(LINE));
        pem.push_str(line);
        pem.push('\n');
        rest = others;
    }
    pem.push_str("-----END PRIVATE KEY-----\n");
    Secret::new(pem)
}

/// What is wrong with a public key that was handed in. Nothing of its text is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// No PEM, or more than one.
    #[error(
        "this is not a PEM: give exactly one block, from -----BEGIN PUBLIC KEY----- (or CERTIFICATE) to the END line"
    )]
    NotPem,
    /// A private key.
    #[error("this is a private key: give the public key only, and replace this key, since it was shown")]
    PrivateKey,
    /// Escaped line breaks.
    #[error("the text has the two characters \\n instead of line breaks: put real line breaks there, or none at all")]
    EscapedNewlines,
    /// Base64 around the PEM.
    #[error(
        "this is base64 of a PEM, encoded once too often: write the PEM itself under stringData, or its base64 under data"
    )]
    EncodedTwice,
    /// A PEM of something else.
    #[error(
        "this PEM holds something else: it must begin with -----BEGIN PUBLIC KEY----- or -----BEGIN CERTIFICATE----- \
         (openssl rsa -RSAPublicKey_in -pubout makes one of an RSA PUBLIC KEY)"
    )]
    OtherBlock,
    /// A short RSA key.
    #[error("the RSA key has {bits} bits: use one of at least 2048")]
    TooWeak {
        /// How many bits it has.
        bits: usize,
    },
    /// Some other kind of key.
    #[error("this kind of key cannot be used: give an RSA key of 2048 to 8192 bits or an EC key on the curve P-384")]
    UnsupportedKind,
    /// A PEM whose content is damaged.
    #[error("the key inside the PEM is damaged: copy it anew, complete and unchanged")]
    Broken,
    /// A key of one kind for an algorithm of another.
    #[error("the key and the algorithm do not fit: RS256 and RS512 need an RSA key, ES384 one on the curve P-384")]
    OtherAlgorithm,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Numbers {
    Rsa { n: String, e: String },
    P384 { x: String, y: String },
}

/// A public key that Qlik takes: RSA of 2048 bits or more, or EC on P-384.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    der: Vec<u8>,
    numbers: Numbers,
}

impl PublicKey {
    /// Reads a PEM with a public key or with a certificate, whose key is taken. It may stand on one line.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let (label, der) = unwrap_pem(text)?;
        let info = match label {
            "PUBLIC KEY" => PublicKeyInfo::from_der(&der).map_err(|_| Problem::Broken)?,
            "CERTIFICATE" => {
                let certificate = Certificate::from_der(&der).map_err(|_| Problem::Broken)?;
                certificate.tbs_certificate().subject_public_key_info().clone()
            }
            _ => return Err(Problem::OtherBlock),
        };
        Self::of(&info)
    }

    /// The public half of a private key as [`generate`] writes it.
    pub fn of_private(pem: &Secret) -> Option<Self> {
        let base64: Zeroizing<String> =
            pem.expose().lines().filter(|line| !line.starts_with("-----")).collect::<String>().into();
        let der = Zeroizing::new(STANDARD.decode(base64.as_str()).ok()?);
        let public = match rsa::KeyPair::from_pkcs8(&der) {
            Ok(pair) => pair.public_key().as_der(),
            Err(_) => EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING, &der).ok()?.public_key().as_der(),
        };
        Self::of(&PublicKeyInfo::from_der(public.ok()?.as_ref()).ok()?).ok()
    }

    fn of(info: &PublicKeyInfo) -> Result<Self, Problem> {
        let key = info.subject_public_key.as_bytes().ok_or(Problem::Broken)?;
        let curve = || info.algorithm.parameters.as_ref().and_then(|curve| curve.decode_as::<ObjectIdentifier>().ok());
        let (numbers, algorithm): (_, &'static dyn VerificationAlgorithm) = if info.algorithm.oid == RSA {
            (rsa_numbers(key)?, &RSA_PKCS1_2048_8192_SHA256)
        } else if info.algorithm.oid == EC && curve() == Some(P384) {
            (point(key)?, &ECDSA_P384_SHA384_ASN1)
        } else {
            return Err(Problem::UnsupportedKind);
        };
        let der = info.to_der().map_err(|_| Problem::Broken)?;
        // Refuses what no signature can be checked with: a point beside the curve, an even modulus.
        ParsedPublicKey::new(algorithm, &der).map_err(|_| Problem::Broken)?;
        Ok(Self { der, numbers })
    }

    /// The key as PEM on one line, the only form that Qlik's `jwtAuth` takes.
    pub fn one_line_pem(&self) -> String {
        format!("-----BEGIN PUBLIC KEY-----{}-----END PUBLIC KEY-----", STANDARD.encode(&self.der))
    }

    /// The key as JWK, for signatures of this algorithm.
    pub fn jwk(&self, kid: &str, algorithm: Algorithm) -> Result<Jwk, Problem> {
        if !self.fits(algorithm) {
            return Err(Problem::OtherAlgorithm);
        }
        let key =
            Jwk { alg: algorithm.name().to_owned(), usage: "sig".to_owned(), kid: kid.to_owned(), ..Jwk::default() };
        Ok(match self.numbers.clone() {
            Numbers::Rsa { n, e } => Jwk { kty: "RSA".to_owned(), n: Some(n), e: Some(e), ..key },
            Numbers::P384 { x, y } => {
                Jwk { kty: "EC".to_owned(), crv: Some("P-384".to_owned()), x: Some(x), y: Some(y), ..key }
            }
        })
    }

    /// Whether signatures of this algorithm can be made with such a key.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::Rs256 | Algorithm::Rs512 => matches!(self.numbers, Numbers::Rsa { .. }),
            Algorithm::Es384 => matches!(self.numbers, Numbers::P384 { .. }),
        }
    }

    /// Names the key by what it is (RFC 7638, with SHA-256).
    pub fn thumbprint(&self) -> String {
        // The members in this order, without blanks; base64url needs no escaping.
        let members = match &self.numbers {
            Numbers::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
            Numbers::P384 { x, y } => format!(r#"{{"crv":"P-384","kty":"EC","x":"{x}","y":"{y}"}}"#),
        };
        URL_SAFE_NO_PAD.encode(Sha256::digest(members))
    }
}

/// How base64 of a PEM begins.
const ENCODED_BEGIN: &str = "LS0tLS1CRUdJTi";

/// Label and content of the one PEM in a text.
fn unwrap_pem(text: &str) -> Result<(&str, Vec<u8>), Problem> {
    if text.contains("PRIVATE KEY-----") {
        return Err(Problem::PrivateKey);
    }
    if text.contains("\\n") || text.contains("\\r") {
        return Err(Problem::EscapedNewlines);
    }
    if text.trim_start().starts_with(ENCODED_BEGIN) {
        return Err(Problem::EncodedTwice);
    }
    // Some editors put a byte order mark in front, which nobody sees.
    let text = text.trim_start_matches('\u{feff}').trim();
    let rest = text.strip_prefix("-----BEGIN ").ok_or(Problem::NotPem)?;
    let (label, rest) = rest.split_once("-----").ok_or(Problem::NotPem)?;
    let end = format!("-----END {label}-----");
    let content = rest.strip_suffix(end.as_str()).filter(|content| !content.contains('-')).ok_or(Problem::NotPem)?;
    let base64: String = content.split_ascii_whitespace().collect();
    Ok((label, STANDARD.decode(base64).map_err(|_| Problem::Broken)?))
}

fn rsa_numbers(key: &[u8]) -> Result<Numbers, Problem> {
    let read = || -> der::Result<(Vec<u8>, Vec<u8>)> {
        let mut reader = SliceReader::new(key)?;
        let number = |reader: &mut SliceReader<'_>| UintRef::decode(reader).map(|number| number.as_bytes().to_vec());
        let numbers = reader.sequence(|reader| Ok::<_, der::Error>((number(reader)?, number(reader)?)))?;
        reader.finish()?;
        Ok(numbers)
    };
    let (n, e) = read().map_err(|_| Problem::Broken)?;
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    match bits {
        ..RSA_BITS => Err(Problem::TooWeak { bits }),
        RSA_BITS..=8192 => Ok(Numbers::Rsa { n: URL_SAFE_NO_PAD.encode(n), e: URL_SAFE_NO_PAD.encode(e) }),
        8193.. => Err(Problem::UnsupportedKind),
    }
}

/// A point of the uncompressed form: one byte that says so, and the coordinates.
fn point(key: &[u8]) -> Result<Numbers, Problem> {
    match key.split_first() {
        Some((4, point)) if point.len() == 2 * COORDINATE => {
            let (x, y) = point.split_at(COORDINATE);
            Ok(Numbers::P384 { x: URL_SAFE_NO_PAD.encode(x), y: URL_SAFE_NO_PAD.encode(y) })
        }
        Some((2 | 3, _)) => Err(Problem::UnsupportedKind),
        Some(_) | None => Err(Problem::Broken),
    }
}

#[cfg(test)]
mod tests;
