//! Questions to the cluster about a caller.

use k8s_openapi::api::{
    authentication::v1::{TokenReview, TokenReviewSpec},
    authorization::v1::{ResourceAttributes, SubjectAccessReview},
};
use kube::{Api, Client, api::PostParams};

use super::{Access, Caller, Rights};

/// May the caller do this? (<https://kubernetes.io/docs/reference/access-authn-authz/authorization/#checking-api-access>)
pub(super) async fn subject_access(own: &Client, caller: &Caller, access: &Access) -> Result<bool, kube::Error> {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let mut review = SubjectAccessReview { spec: caller.spec(), ..SubjectAccessReview::default() };
    review.spec.resource_attributes = Some(ResourceAttributes {
        verb: Some(access.verb.clone()),
        group: text(&access.group),
        resource: Some(access.resource.clone()),
        subresource: text(&access.subresource),
        namespace: access.namespace.clone(),
        name: access.name.clone(),
        ..ResourceAttributes::default()
    });
    let reviews: Api<SubjectAccessReview> = Api::all(own.clone());
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// Whose token is this? (<https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/>)
pub(super) async fn token(own: &Client, token: &str, audiences: &[String]) -> Result<Option<Caller>, kube::Error> {
    let spec = TokenReviewSpec {
        token: Some(token.to_owned()),
        audiences: (!audiences.is_empty()).then(|| audiences.to_vec()),
    };
    let review = TokenReview { spec, ..TokenReview::default() };
    let reviews: Api<TokenReview> = Api::all(own.clone());
    let status = reviews.create(&PostParams::default(), &review).await?.status.unwrap_or_default();
    // With audiences asked for, a review that names none of them has not checked them.
    let audience_met =
        audiences.is_empty() || status.audiences.iter().flatten().any(|audience| audiences.contains(audience));
    if status.authenticated != Some(true) || !audience_met {
        return Ok(None);
    }
    let user = status.user.unwrap_or_default();
    Ok(Some(Caller {
        user: user.username.unwrap_or_default(),
        uid: user.uid,
        groups: user.groups.unwrap_or_default(),
        extra: user.extra.unwrap_or_default().into_iter().collect(),
        rights: Rights::Reviewed,
    }))
}
